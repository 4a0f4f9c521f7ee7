"""The grammar of the command line. Each command adds itself; options that all share work anywhere in the line."""

from __future__ import annotations

import argparse
import difflib
import math
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

from tendred import __version__
from tendred.app.cli.context import Context
from tendred.app.cli.exits import EPILOG
from tendred.schema.still import MAX_SEED

# What add_subparsers returns; it has no public name.
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # see above
Run = Callable[[Context], int]

# What a bare noun means, and which words after it are actions: `tendre library cats` searches.
SHORT: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "library": ("search", frozenset({"search", "show", "sheet", "remove", "restore", "erase", "tag"})),
    "models": ("list", frozenset({"list", "ps", "add", "use", "remove", "unload", "show", "scan", "verify"})),
    "loras": ("list", frozenset({"list", "show", "add", "remove"})),
    "jobs": ("list", frozenset({"list", "move"})),
    "queue": ("status", frozenset({"status", "pause", "resume"})),
    "config": ("show", frozenset({"show", "sample", "path"})),
    "characters": ("list", frozenset({"list", "show", "new", "edit", "remove", "sheet"})),
    "wildcards": ("list", frozenset({"list", "show", "add", "remove"})),
    "presets": ("list", frozenset({"list", "show", "set", "remove"})),
    "cloud": ("status", frozenset({"status", "login", "logout", "enable", "disable", "report"})),
    "spend": ("report", frozenset({"report", "ledger", "caps", "resolve", "reconcile"})),
    "tokens": ("list", frozenset({"list", "create", "revoke"})),
    "shot": ("list", frozenset({"list", "show", "takes", "create", "draft", "lock", "finish", "compare", "demo"})),
    "hotfolders": ("list", frozenset({"list", "add", "remove", "rescan"})),
}
_LONG: Final = 40
_VALUED: Final = frozenset({"--home", "--lang"})


class UsageError(Exception):
    """The line makes no sense; `prog` names the command whose help explains it."""

    def __init__(self, message: str, prog: str) -> None:
        super().__init__(message)
        self.prog = prog


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.prog)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does, and with what may have been meant."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as wrong:
            if near := difflib.get_close_matches(str(value), map(str, action.choices or ()), 1):
                wrong.message += f"; did you mean {near[0]}?"
            raise


def number(text: str) -> float:
    """A finite number: neither JSON nor the daemon knows others."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return value


def seconds(text: str) -> float:
    """A span of time."""
    if (value := number(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is no span of time: it must be 0 seconds or more")
    return value


def seed(text: str) -> int:
    """One that every program that reads JSON can hold."""
    if not text.isdecimal() or int(text[:_LONG]) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text[:_LONG]} is no seed: seeds are whole numbers from 0 to {MAX_SEED}")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def shared() -> Parser:
    """Options of every command. No defaults, or a command's would overwrite what stands before it."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="one JSON document (or JSON lines) on stdout")
    group.add_argument("--home", metavar="DIR", help="the daemon's TENDRED_HOME")
    group.add_argument("--lang", choices=("en", "fr"), help="language of messages")
    return parser


def command(commands: Commands, name: str, text: str, run: Run | None = None) -> Parser:
    """Add a command with its help; `run` does it."""
    parser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=EPILOG,
        parents=[shared()],
        allow_abbrev=False,
    )
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def actions(parser: Parser) -> Commands:
    """Room for a noun's actions."""
    return parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)


def build(adders: list[Callable[[Commands], None]]) -> Parser:
    """The whole grammar."""
    parser = Parser(
        prog="tendre",
        description="Makes pictures on this machine, through the tendred daemon.",
        epilog=EPILOG,
        parents=[shared()],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tendre {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for add in adders:
        add(commands)
    return parser


def complete(argv: list[str]) -> list[str]:
    """Put in the action that a bare noun means."""
    at = _next_word(argv, 0)
    if at is None or argv[at] not in SHORT:
        return argv
    meant, known = SHORT[argv[at]]
    word = _next_word(argv, at + 1)
    if word is not None and (argv[word] in known or argv[word] in {"-h", "--help"}):
        return argv
    if word is not None and argv[at] != "library" and not argv[word].startswith("-"):
        return argv  # only the library takes bare words: this is a slip of the keys, told as one
    return [*argv[: at + 1], meant, *argv[at + 1 :]]


def _next_word(argv: list[str], start: int) -> int | None:
    """The index of the next word that isn't an option of every command."""
    at = start
    while at < len(argv):
        word = argv[at]
        if word in _VALUED:
            at += 2
        elif word == "--json" or word.partition("=")[0] in _VALUED:
            at += 1
        else:
            return at
    return None
