"""The directories, decided once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tendred.config.schema import PathsSection

FOLDERS = ("config", "data", "cache", "state", "runtime", "pictures", "hot")


@dataclass(frozen=True)
class Paths:
    """Every directory of one daemon, absolute. The files with fixed names hang off them."""

    config: Path
    data: Path
    cache: Path
    state: Path
    runtime: Path
    pictures: Path
    hot: Path

    @property
    def database(self) -> Path:
        return self.data / "tendred.db"

    @property
    def staging(self) -> Path:
        """Unfinished outputs. Beside the pictures, since the last step into the library is a rename."""
        return self.pictures / ".staging"

    @property
    def clips(self) -> Path:
        """Results of providers on their way here. Like `staging`, but a start doesn't sweep it: they are paid for."""
        return self.pictures / ".clips"

    @property
    def owner_token(self) -> Path:
        return self.state / "owner.token"

    @property
    def models(self) -> Path:
        """The user's own single files: `loras/`, `upscalers/`, `vaes/` and so on. Whoever wants them makes the folders."""
        return self.data / "models"

    @property
    def wildcards(self) -> Path:
        """The user's lists of options, one file each."""
        return self.data / "wildcards"

    @property
    def providers(self) -> Path:
        """The user's own capability tables, one file a provider."""
        return self.config / "providers"

    @property
    def strokes(self) -> Path:
        """What people painted over stills, by hash."""
        return self.data / "strokes"

    @property
    def thumbnails(self) -> Path:
        return self.cache / "thumbnails"

    @property
    def boundary_key(self) -> Path:
        return self.state / "boundary.key"

    @property
    def signing(self) -> Path:
        """Key and certificate of this installation. Whoever backs up takes all of it: without it, its files are a stranger's."""
        return self.state / "signing"

    @property
    def lock(self) -> Path:
        return self.data / "tendred.lock"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def discovery(self) -> Path:
        return self.runtime / "tendred.json"

    @property
    def private(self) -> tuple[Path, ...]:
        """The daemon's own directories: all but the hot folder."""
        return (self.config, self.data, self.cache, self.state, self.runtime, self.pictures)

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"


def config_dir(env: Mapping[str, str] | None = None) -> Path:
    """Where the user's file is: needed before any setting is known."""
    env = os.environ if env is None else env
    if home := env.get("TENDRED_HOME"):
        return Path(home).expanduser().absolute() / "config"
    return Path(platformdirs.user_config_dir("tendred", appauthor=False))


def resolve(section: PathsSection, env: Mapping[str, str] | None = None) -> Paths:
    """Settings first, then TENDRED_HOME, then the platform's own places. Makes nothing."""
    env = os.environ if env is None else env
    home = env.get("TENDRED_HOME")
    if home:
        base = Path(home).expanduser().absolute()
        places = {name: base / name for name in FOLDERS}
    else:
        dirs = platformdirs.PlatformDirs("tendred", appauthor=False)
        pictures = Path(platformdirs.user_pictures_dir())
        places = {
            "config": Path(dirs.user_config_dir),
            "data": Path(dirs.user_data_dir),
            "cache": Path(dirs.user_cache_dir),
            "state": Path(dirs.user_state_dir),
            "runtime": _runtime(dirs, env),
            "pictures": pictures / "tendred",
            "hot": pictures / "tendred hot",
        }
    for name in FOLDERS[1:]:
        if chosen := getattr(section, name):
            places[name] = Path(chosen).expanduser().absolute()
    return Paths(**places)


def _runtime(dirs: platformdirs.PlatformDirs, env: Mapping[str, str]) -> Path:
    """The platform's place for sockets, or our own state where a login session gave none (a server, a container).

    The library would fall back to a directory under /tmp there, which anybody could have made first.
    """
    if sys.platform == "linux" and not env.get("XDG_RUNTIME_DIR"):
        return Path(dirs.user_state_dir) / "run"
    return Path(dirs.user_runtime_dir)
