"""Whether a folder lies where only this machine writes: nobody else may spend by dropping a file into it.

Asked when a standing cap is set, and again for each clip, because something may have been mounted since. What can't be
told is taken for shared.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tendred.errors import InvalidParams

MOUNTS: Final = Path("/proc/self/mountinfo")
LOCAL: Final = frozenset({
    "bcachefs", "btrfs", "ecryptfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus", "jfs", "nilfs2",
    "ntfs", "ntfs3", "overlay", "ramfs", "reiserfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
})  # fmt: skip
"""File systems of disks and memory, by their names in the kernel. All others (nfs, cifs, 9p, fuse.sshfs ...) are not."""
NAMES: Final = (
    "dropbox", "dropbox (*", "onedrive", "onedrive - *", "icloud*", "mobile documents", "com~apple~clouddocs",
    "cloudstorage", "nextcloud*", "owncloud*", "google drive*", "googledrive*", "my drive", "pclouddrive", "seafile",
    "mega", "megasync", "insync", "syncthing",
)  # fmt: skip
"""What programs that synchronise call their folders, in small letters."""
MARKS: Final = (
    ".dropbox.cache", ".stfolder", ".stversions", ".sync_*.db", "._sync_*.db", ".nextcloudsync.log",
    ".owncloudsync.log", ".849c9593-d756-4e56-8d6e-42412f2a707b", ".tmp.drivedownload", ".tmp.driveupload",
    ".insync-trash", ".seafile-data", ".megaignore",
)  # fmt: skip
"""What they leave in them: Dropbox, Syncthing, Nextcloud and ownCloud, OneDrive, Google Drive, and others."""
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def check(root: Path, path: str) -> None:
    """Raises InvalidParams, at `path` of what was asked, for a folder that may have no standing cap. Blocking."""
    if problem := shared(root):
        raise InvalidParams("shared_folder", path=path, folder=str(root), problem=problem)


def shared(root: Path) -> str | None:
    """Why somebody else could write into a folder; None if nothing says so. Blocking."""
    here = Path(os.path.realpath(root))
    try:
        mounts = MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return "this system doesn't tell what kind of file system it is on"
    if here.stat().st_mode & stat.S_IWOTH:
        return "every user of this machine may write into it"
    kind = kind_of(here, mounts)
    if kind not in LOCAL:
        return f"it is on a file system of the kind {kind or 'unknown'}, which may be another machine's"
    return synced(here)


def kind_of(path: Path, mounts: str) -> str | None:
    """The kind of the file system that a path without links is on, by the text of /proc/self/mountinfo."""
    found, depth = None, 0
    for point, kind in _mounts(mounts):
        # Of several at one place the last covers the others.
        if len(point.parts) >= depth and path.is_relative_to(point):
            found, depth = kind, len(point.parts)
    return found


def synced(path: Path) -> str | None:
    """What says that a program synchronises a folder, or one that it lies in; None if nothing does."""
    for folder in (path, *path.parents):
        if any(fnmatchcase(folder.name.casefold(), name) for name in NAMES):
            return f"{folder} bears the name of a folder that is synchronised"
        try:
            names = os.listdir(folder)
        except OSError:
            continue  # it may be passed through but not listed: the user's program can't have marked it either
        for name in names:
            if any(fnmatchcase(name.casefold(), mark) for mark in MARKS):
                return f"{folder} is synchronised ({name} lies in it)"
    return None


def _mounts(text: str) -> Iterator[tuple[Path, str]]:
    """Mount points and kinds. See proc(5): the kind is the first word behind the lone dash."""
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        words = before.split(" ")
        if dash and len(words) > 4 and after:  # noqa: PLR2004 - the fifth is the mount point
            yield Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), words[4])), after.split(" ")[0]
