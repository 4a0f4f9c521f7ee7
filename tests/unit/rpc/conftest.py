"""Doors that are closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tendred.config.schema import RpcSection
from tendred.testing.door import Door, Opener
from tendred.testing.door import open_door as start


@pytest.fixture
async def open_door(tmp_path: Path) -> AsyncIterator[Opener]:
    opened: list[Door] = []

    async def one_more(language: str = "en", **config: Any) -> Door:
        unix = tmp_path / f"run{len(opened)}" / "tendred.sock"
        opened.append(await start(unix, msgspec.structs.replace(RpcSection(), **config), language))
        return opened[-1]

    yield one_more
    for door in opened:
        await door.close()


@pytest.fixture
async def door(open_door: Opener) -> Door:
    return await open_door()
