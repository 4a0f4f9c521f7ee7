"""A Secret Service of its own: a session bus and gnome-keyring under one folder, so that nobody's keyring is touched.

Source of the recipe: the keyring project's own notes on headless Linux (`dbus-run-session`, `--unlock` from stdin).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final, Self

PROGRAMS: Final = ("dbus-daemon", "gnome-keyring-daemon")


class SecretService:
    """Use it as a context. `env` is what a process needs to find it, and nothing else of ours."""

    def __init__(self, folder: Path, password: str = "open sesame") -> None:
        self._folder, self._password = folder, password
        self._running: list[subprocess.Popen[bytes]] = []
        self.env: dict[str, str] = {}

    def __enter__(self) -> Self:
        runtime = self._folder / "run"
        runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(self._folder), "XDG_RUNTIME_DIR": str(runtime),
            "XDG_DATA_HOME": str(self._folder / "data"), "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }  # fmt: skip
        bus = self._start(["dbus-daemon", "--session", "--nofork", "--print-address=1"])
        assert bus.stdout is not None
        self.env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
        # It reads the password up to the end of its stdin, opens or makes the keyring `login`, and stays.
        keyring = self._start(["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"])
        assert keyring.stdin is not None
        assert keyring.stdout is not None
        keyring.stdin.write(self._password.encode())
        keyring.stdin.close()
        keyring.stdout.readline()  # it tells where its control socket is once it is there
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._running.append(process)
        return process
