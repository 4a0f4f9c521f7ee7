"""`tendre`, the command line: a client of the daemon and nothing else."""

from __future__ import annotations

from tendred.app.cli.run import main

__all__ = ["main"]
