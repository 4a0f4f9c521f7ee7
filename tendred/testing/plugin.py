"""The public pytest plugin: a real daemon in a fixture, with an engine process that draws without torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    # Imported where it is used: pytest loads this file in every session of this environment.
    from tendred.testing.daemon import TestDaemon


@pytest.fixture
async def make_daemon(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[TestDaemon]]]:
    """`await make_daemon("section.key=value", ...)`: a daemon under `tmp_path`, with all its doors, stopped at the end."""
    from tendred.testing.daemon import TestDaemon, quiet  # noqa: PLC0415 - see above

    made: list[TestDaemon] = []

    async def make(*overrides: str, home: Path | None = None, **more: Any) -> TestDaemon:
        daemon = await TestDaemon.start(home or tmp_path / "home", [*quiet(), *overrides], **more)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        await daemon.stop()


@pytest.fixture
async def daemon(make_daemon: Callable[..., Awaitable[TestDaemon]]) -> TestDaemon:
    """One daemon with the fake engine."""
    return await make_daemon()


def pytest_configure(config: pytest.Config) -> None:
    """Our marker."""
    config.addinivalue_line("markers", "needs(*programs): skipped where one is missing; in CI that is a failure")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """See the marker."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if shutil.which(str(name)) is None:
                if os.environ.get("CI") == "true":
                    pytest.fail(f"{name} is not installed")
                pytest.skip(f"{name} is not installed")
