from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tendred.rpc.media import Part, part_of
from tendred.schema.asset import Asset
from tendred.testing.door import Door
from tendred.testing.raw import Answer, connection, read_answer, request

BODY = bytes(range(256)) * 4000  # about 1 MB, more than one chunk


@pytest.fixture
def asset(door: Door, tmp_path: Path) -> Asset:
    path = tmp_path / "a picture.png"
    path.write_bytes(BODY)
    return door.studio.add_asset(path)


async def get(door: Door, url: str, *headers: str) -> Answer:
    return await door.send(request(f"GET {url} HTTP/1.1", door.host, door.auth, *headers))


async def test_a_whole_file(door: Door, asset: Asset) -> None:
    answer = await get(door, asset.url)
    assert (answer.status, answer.body == BODY) == (200, True)
    assert answer.headers["etag"] == f'"{asset.sha256}"'
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == f'attachment; filename="{asset.id}.png"'


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-599999", 100, 600_000),
        ("bytes=1000000-", 1_000_000, len(BODY)),
        ("bytes=-5", len(BODY) - 5, len(BODY)),
        ("bytes=0-99999999", 0, len(BODY)),
    ],
)
async def test_a_range(door: Door, asset: Asset, header: str, start: int, stop: int) -> None:
    answer = await get(door, asset.url, f"Range: {header}")
    assert answer.body == BODY[start:stop]
    assert answer.status == (200 if stop - start == len(BODY) else 206)
    if answer.status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "items=0-1", "bytes=x", "bytes=-", "bytes=5-2", "bytes 0-1"])
async def test_what_is_no_single_range_gives_the_whole(door: Door, asset: Asset, header: str) -> None:
    answer = await get(door, asset.url, f"Range: {header}")
    assert (answer.status, len(answer.body)) == (200, len(BODY))


async def test_a_range_outside_the_file(door: Door, asset: Asset) -> None:
    for header in (f"bytes={len(BODY)}-", "bytes=-0"):
        answer = await get(door, asset.url, f"Range: {header}")
        assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(BODY)}")


async def test_what_the_client_has_is_not_sent_again(door: Door, asset: Asset) -> None:
    for header in (f'"{asset.sha256}"', f'W/"{asset.sha256}"', f'"x", "{asset.sha256}"'):
        answer = await get(door, asset.url, f"If-None-Match: {header}")
        assert (answer.status, answer.headers["etag"]) == (304, f'"{asset.sha256}"')
    assert (await get(door, asset.url, 'If-None-Match: "x"')).status == 200


async def test_a_range_of_another_file_gives_the_whole(door: Door, asset: Asset) -> None:
    assert (await get(door, asset.url, "Range: bytes=0-1", 'If-Range: "x"')).status == 200
    assert (await get(door, asset.url, "Range: bytes=0-1", f'If-Range: "{asset.sha256}"')).status == 206


@pytest.mark.parametrize(
    "name",
    [
        "ast_unknown",
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "ast_1/../x",
        "a%00b",
        "x" * 300,
    ],
)
async def test_what_is_no_asset_is_a_typed_404(door: Door, name: str) -> None:
    answer = await get(door, f"/media/{name}")
    assert (answer.status, answer.kind) == (404, "not_found")


REPLACEMENTS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a FIFO": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("replace", REPLACEMENTS.values(), ids=REPLACEMENTS)
async def test_an_asset_without_its_file_is_a_404(door: Door, asset: Asset, replace: Callable[[Path], object]) -> None:
    os.unlink(asset.path)
    replace(Path(asset.path))
    answer = await get(door, asset.url)
    assert (answer.status, answer.kind) == (404, "not_found")


async def test_a_removed_asset_is_a_404(door: Door, asset: Asset) -> None:
    await door.studio.remove_asset(asset.id)
    assert (await get(door, asset.url)).kind == "not_found"
    await door.studio.restore_asset(asset.id)
    assert (await get(door, asset.url)).status == 200


async def test_two_files_on_one_connection(door: Door, asset: Asset) -> None:
    data = request(f"GET {asset.url} HTTP/1.1", door.host, door.auth)
    async with connection(door.port) as (reader, writer):
        writer.write(data + data)
        assert [len((await read_answer(reader)).body) for _ in range(2)] == [len(BODY)] * 2


async def test_a_file_that_shrinks_meanwhile_never_looks_whole(door: Door, tmp_path: Path) -> None:
    path = tmp_path / "big.png"
    path.write_bytes(b"")
    asset = door.studio.add_asset(path)
    os.truncate(path, 64_000_000)
    async with connection(door.port) as (reader, writer):
        writer.write(request(f"GET {asset.url} HTTP/1.1", door.host, door.auth))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 64000000\r\n" in head
        os.truncate(path, 1_000)
        body = await reader.read()
    assert len(body) < 64_000_000


def test_an_empty_file_has_no_ranges() -> None:
    assert part_of(None, 0) == Part(0, 0, 0)
    assert part_of("bytes=0-", 0) is None
    assert part_of("bytes=-1", 0) is None
