"""`tendred`: the daemon in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tendred import __version__
from tendred.app.daemon import serve
from tendred.app.instance import prepare
from tendred.app.logs import setup
from tendred.config.load import load
from tendred.config.paths import resolve
from tendred.core.telling import language_of
from tendred.errors import TendredError, describe

LOG_FILE = "tendred.log"
_STATUSES = range(1, 64)


def main() -> int:
    """Run until asked to end. Exit status 0; 2 for a setting, a second daemon, a port or a store; 1 for the rest."""
    parser = argparse.ArgumentParser(prog="tendred", description="The tendred daemon, in the foreground.")
    parser.add_argument("--version", action="version", version=f"tendred {__version__}")
    parser.add_argument(
        "-o", dest="overrides", metavar="SECTION.KEY=VALUE", action="append", default=[], help="set one setting"
    )
    arguments = parser.parse_args()
    try:
        config = load(arguments.overrides).config
        paths = resolve(config.paths)
        prepare(paths)
        os.umask(0o077)
        log = setup(paths.logs / LOG_FILE, config.log)
        asyncio.run(serve(config, paths, log.hide))
    except TendredError as problem:
        message, following = describe(problem, language_of("auto"))
        print(f"tendred: {message}\n{following}", file=sys.stderr)  # noqa: T201 - there is no other door yet
        # Codes of JSON-RPC errors are no exit statuses: the system would cut them to eight bits.
        return problem.code if problem.code in _STATUSES else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
