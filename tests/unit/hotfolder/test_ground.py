from __future__ import annotations

from pathlib import Path

import pytest

from tendred.errors import InvalidParams
from tendred.hotfolder.ground import LOCAL, MOUNTS, check, kind_of, shared, synced

MOUNTINFO = """\
24 30 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
30 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
31 30 0:27 / /home rw,relatime shared:3 master:2 - btrfs /dev/vdb rw
32 31 0:40 / /home/ann/nas rw,relatime - nfs4 nas:/vol rw,vers=4.2
33 31 0:41 / /home/ann/my\\040nas rw,relatime shared:9 - cifs //nas/share rw
34 31 0:42 / /home/ann/over rw - ext4 /dev/vdc rw
35 34 0:43 / /home/ann/over rw - fuse.sshfs ann@far:/ rw
36 30 0:44 / /mnt/host rw - 9p host rw,trans=virtio
37 30 8:1 / /mnt/stick rw - fuseblk /dev/sda1 rw
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "kind", "local"),
    [
        ("/srv/hot", "ext4", True),
        ("/home/ann/hot", "btrfs", True),
        ("/home/ann/nas", "nfs4", False),
        ("/home/ann/nas/hot", "nfs4", False),
        ("/home/ann/nastier", "btrfs", True),
        ("/home/ann/my nas/hot", "cifs", False),
        ("/home/ann/over/hot", "fuse.sshfs", False),
        ("/mnt/host/a/b", "9p", False),
        ("/mnt/stick/hot", "fuseblk", True),
    ],
)
def test_the_kind_of_file_system_is_that_of_the_mount_that_is_nearest_and_on_top(path, kind, local):
    found = kind_of(Path(path), MOUNTINFO)
    assert (found, found in LOCAL) == (kind, local)


def test_what_is_mounted_nowhere_is_unknown():
    assert kind_of(Path("/a"), "") is None


@pytest.mark.parametrize("kind", ["nfs", "smb3", "fuse", "fuse.rclone", "virtiofs", "davfs", "ceph", "vboxsf", "afs"])
def test_no_network_is_among_the_disks(kind):
    assert kind not in LOCAL


@pytest.mark.parametrize(
    "place", ["Dropbox/hot", "OneDrive - Work/a/hot", "Nextcloud", "Library/Mobile Documents/hot", "GoogleDrive/x"]
)
def test_folders_that_bear_a_name_of_a_synchronised_one(tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    assert "bears the name" in (synced(tmp_path / place) or "")


@pytest.mark.parametrize(
    "mark", [".stfolder", ".dropbox.cache", ".sync_0a1b.db", ".849C9593-D756-4E56-8D6E-42412F2A707B"]
)
def test_folders_below_one_that_such_a_program_marked(tmp_path, mark):
    hot = tmp_path / "shared" / "a" / "hot"
    hot.mkdir(parents=True)
    assert synced(hot) is None
    (tmp_path / "shared" / mark).mkdir()
    assert mark in (synced(hot) or "")
    assert synced(tmp_path) is None


def test_a_link_is_judged_by_where_it_leads(tmp_path):
    if not MOUNTS.exists():
        pytest.skip("no mountinfo here")
    (tmp_path / "Dropbox").mkdir()
    (tmp_path / "hot").symlink_to(tmp_path / "Dropbox")
    with pytest.raises(InvalidParams) as caught:
        check(tmp_path / "hot", "kind")
    assert (caught.value.variant, caught.value.path) == ("shared_folder", "kind")
    assert "Dropbox" in str(caught.value)


def test_a_folder_that_every_user_may_write_into_is_shared(tmp_path):
    assert shared(tmp_path) is None
    tmp_path.chmod(0o777)
    assert "every user" in shared(tmp_path)


def test_a_real_network_less_folder_of_this_machine(tmp_path):
    if not MOUNTS.exists():
        pytest.skip("no mountinfo here")
    kind = kind_of(Path(tmp_path).resolve(), MOUNTS.read_text())
    assert (shared(tmp_path) is None) == (kind in LOCAL)
