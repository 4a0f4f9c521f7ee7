"""One call of the keyring, in a process of its own: an order on stdin, an answer on stdout, and it ends.

The only file that imports `keyring`. Of its backends only those of operating systems and desktops are used: some others
keep keys in files that anybody may read, or ask for a password on a terminal that a daemon doesn't have.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
from typing import Any, Final, TypedDict

SERVICE: Final = "tendred"
TRUSTED: Final = (
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.libsecret", "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
    ("keyring.backends.macOS", "Keyring"),
    ("keyring.backends.Windows", "WinVaultKeyring"),
)
DOUBLES: Final = 16
"""Entries of one name that are removed at most: other programs can add some."""
_PR_SET_DUMPABLE: Final = 4


class Order(TypedDict):
    """What is to be done: `get`, `set` or `remove`. `key` is empty but for `set`."""

    do: str
    provider: str
    key: str


class Answer(TypedDict):
    """`failed` is empty, `locked`, `missing` or `broken`, and `problem` says more; `key` is what `get` found."""

    failed: str
    problem: str
    key: str | None
    found: bool


def main() -> None:
    """Read, do, answer."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    _hide()
    order: Order = json.loads(sys.stdin.buffer.read())
    os.write(answers, json.dumps(_done(order)).encode())


def _done(order: Order) -> Answer:
    backend, why_not = best()
    if backend is None:
        return Answer(failed="missing", problem=why_not, key=None, found=False)
    # With what it has of us, the library has been imported by now.
    from keyring.errors import InitError, KeyringError, KeyringLocked  # noqa: PLC0415

    try:
        return do(backend, order)
    except (KeyringLocked, InitError) as problem:
        return Answer(failed="locked", problem=str(problem), key=None, found=False)
    except (KeyringError, EOFError, OSError, RuntimeError) as problem:
        return Answer(failed="broken", problem=f"{type(problem).__name__}: {problem}", key=None, found=False)


def do(backend: Any, order: Order) -> Answer:
    """With a keyring that answers. What was changed is read again: some say that it worked when it didn't."""
    provider, given = order["provider"], order["key"]
    found = backend.get_password(SERVICE, provider)
    match order["do"]:
        case "get":
            return Answer(failed="", problem="", key=found, found=found is not None)
        case "set":
            backend.set_password(SERVICE, provider, given)
            kept = backend.get_password(SERVICE, provider) == given
        case _:
            kept = _gone(backend, provider)
    problem = "" if kept else "it says that it changed the key, and didn't"
    return Answer(failed="" if kept else "broken", problem=problem, key=None, found=found is not None)


def _gone(backend: Any, provider: str) -> bool:
    for _ in range(DOUBLES):
        if backend.get_password(SERVICE, provider) is None:
            return True
        backend.delete_password(SERVICE, provider)
    return backend.get_password(SERVICE, provider) is None


def best() -> tuple[Any, str]:
    """The trusted backend that works here and that the library prefers; None and why there is none."""
    found: list[tuple[float, Any]] = []
    problems: list[str] = []
    for module, name in TRUSTED:
        try:
            kind = getattr(importlib.import_module(module), name)
            found.append((float(kind.priority), kind))
        except ImportError as problem:
            return None, f"the library for keyrings isn't installed whole ({problem})"
        except Exception as problem:  # noqa: BLE001 - that one doesn't work here, and says so in its own way
            problems.append(f"{module.rpartition('.')[2]}: {problem}")
    if not found:
        return None, "; ".join(problems)
    return max(found, key=lambda one: one[0])[1](), ""


def _hide() -> None:
    """Neither a debugger nor a core file of the same user sees into this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    main()
