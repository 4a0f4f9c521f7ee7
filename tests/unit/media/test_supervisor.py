"""The media process from outside: real children, good ones and bad ones."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tendred.children import spawn_child
from tendred.clock import SystemClock
from tendred.config.schema import MediaSection
from tendred.errors import ClipUnreadable, DiskFull, FolderUnwritable, Internal, ShuttingDown, SignerBroken
from tendred.media.supervisor import IN_FLIGHT, MediaProcess
from tendred.schema.footage import Enlarge, Look, Take
from tendred.schema.marks import Signing, Verify
from tendred.schema.work import Encode
from tendred.tasks import Tasks
from tendred.testing.marks import signing

GREET = "hello = read_down(sys.stdin.buffer); say(Ready())\n"
ANSWER = (
    "call = read_down(sys.stdin.buffer)\n"
    "if call is None: sys.exit(0)\n"
    "say(EncodeDone(call=call.call, made=Encoded(path=call.work.target, media_type='', bytes=0, sha256='')))\n"
)
PRELUDE = """
import os, sys, time
from pathlib import Path
from tendred.schema.frames import *
from tendred.schema.work import Encoded
def say(record):
    sys.stdout.buffer.write(pack(record)); sys.stdout.buffer.flush()
def first_time():
    try:
        Path(os.environ["MARK"]).touch(exist_ok=False); return True
    except FileExistsError:
        return False
"""


class Spawner:
    """A Spawn that counts, and may run a script of ours instead of the real child."""

    def __init__(self, folder: Path, script: str = "") -> None:
        self._folder = folder
        self._script = script
        self.started: list[asyncio.subprocess.Process] = []

    async def __call__(self, module: str, env: Mapping[str, str], stderr: Path) -> asyncio.subprocess.Process:
        if self._script:
            with stderr.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-c",
                    PRELUDE + self._script,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, **env, "MARK": str(self._folder / "mark")},
                    start_new_session=True,
                )
        else:
            process = await spawn_child(module, env, stderr)
        self.started.append(process)
        return process


@asynccontextmanager
async def running(
    folder: Path, script: str = "", signer: Signing | None = None, **settings: float | str
) -> AsyncIterator[tuple[MediaProcess, Spawner]]:
    spawner, tasks = Spawner(folder, script), Tasks()
    media = MediaProcess(
        config=MediaSection(**settings),
        signing=signer or signing(),
        spawn=spawner,
        clock=SystemClock(),
        tasks=tasks,
        stderr=folder / "media.log",
    )
    try:
        yield media, spawner
    finally:
        await media.close()
        await tasks.stop()
        assert all(process.returncode is not None for process in spawner.started)


async def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        await asyncio.sleep(0.01)


def sha256_of(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def order(folder: Path, name: str = "one", **changes: object) -> Encode:
    data = hashlib.sha256(name.encode()).digest() * (64 * 64 * 3 // 32)
    raw = folder / f"{name}.rgb"
    raw.write_bytes(data)
    fields = {
        "raw": str(raw),
        "width": 64,
        "height": 64,
        "pixels_sha256": hashlib.sha256(data).hexdigest(),
        "format": "png",
        "target": str(folder / f"{name}.png"),
        "thumbnail": None,
        "settings": {"name": name},
        "parameters": name,
    }
    return Encode(**(fields | changes))


async def test_the_first_call_starts_the_child_and_later_ones_find_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (media, spawner):
        assert media.pid is None
        first = await media.encode(order(tmp_path, "a"))
        second = await media.encode(order(tmp_path, "b"))
        assert sha256_of(first.path) == first.sha256
        assert first.sha256 != second.sha256
        assert len(spawner.started) == 1


async def test_many_calls_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as (media, spawner):
        names = [f"p{index}" for index in range(3 * IN_FLIGHT)]
        made = await asyncio.gather(*(media.encode(order(tmp_path, name)) for name in names))
        assert [Path(one.path).stem for one in made] == names
        assert len(spawner.started) == 1


async def test_prewarm_starts_the_child_once_and_does_not_wait(tmp_path: Path) -> None:
    async with running(tmp_path) as (media, spawner):
        await media.prewarm()
        await media.prewarm()
        await until(lambda: media.pid is not None, "a warm child")
        await media.encode(order(tmp_path))
        assert len(spawner.started) == 1


async def test_an_idle_child_goes_and_comes_back_when_wanted(tmp_path: Path) -> None:
    async with running(tmp_path, keep_alive_s=0.05) as (media, spawner):
        await media.encode(order(tmp_path, "a"))
        await until(lambda: media.pid is None, "the child ends")
        await until(lambda: spawner.started[0].returncode is not None, "the process is gone")
        await media.encode(order(tmp_path, "b"))
        assert len(spawner.started) == 2


async def test_a_call_that_loses_its_child_is_repeated(tmp_path: Path) -> None:
    script = GREET + "if first_time(): read_down(sys.stdin.buffer); sys.exit(9)\n" + "while True:\n" + indent(ANSWER)
    async with running(tmp_path, script) as (media, spawner):
        made = await asyncio.gather(*(media.encode(order(tmp_path, name)) for name in "abc"))
        assert [Path(one.path).stem for one in made] == ["a", "b", "c"]
        assert len(spawner.started) == 2


def indent(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


async def test_the_real_child_killed_in_mid_work_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as (media, spawner):
        calls = [asyncio.ensure_future(media.encode(order(tmp_path, f"p{index}"))) for index in range(IN_FLIGHT)]
        await calls[0]
        os.kill(spawner.started[0].pid, signal.SIGKILL)
        made = await asyncio.gather(*calls)
        assert [Path(one.path).stem for one in made] == [f"p{index}" for index in range(IN_FLIGHT)]
        for one in made:
            assert sha256_of(one.path) == one.sha256


async def test_a_poisonous_call_fails_after_two_children_and_takes_no_other_with_it(tmp_path: Path) -> None:
    script = (
        GREET + "while True:\n" + indent(ANSWER.replace("say(", "if 'bad' in call.work.target: os._exit(9)\nsay(", 1))
    )
    async with running(tmp_path, script) as (media, spawner):
        names = ["a", "bad", "b", "bad2", "c"]
        answers = await asyncio.gather(*(media.encode(order(tmp_path, n)) for n in names), return_exceptions=True)
        assert [isinstance(answer, Internal) for answer in answers] == [False, True, False, True, False]
        assert "status 9" in str(answers[1].detail["problem"])
        assert len(spawner.started) == 5


async def test_a_child_that_hangs_is_killed_and_the_call_repeated_once(tmp_path: Path) -> None:
    async with running(tmp_path, GREET + "time.sleep(60)", timeout_s=0.5) as (media, spawner):
        with pytest.raises(Internal) as caught:
            await media.encode(order(tmp_path))
        assert "did not answer" in str(caught.value.detail["problem"])
        assert len(spawner.started) == 2


@pytest.mark.parametrize("script", ["sys.exit(4)", "print('hello there, this is no frame at all')", "time.sleep(60)"])
async def test_a_child_that_never_gets_ready_fails_everyone_after_two_tries(tmp_path: Path, script: str) -> None:
    async with running(tmp_path, script, timeout_s=1.0) as (media, spawner):
        answers = await asyncio.gather(*(media.encode(order(tmp_path, name)) for name in "abc"), return_exceptions=True)
        assert all(isinstance(answer, Internal) for answer in answers)
        assert len(spawner.started) == 2


async def test_a_child_that_cant_be_started_is_an_internal_error(tmp_path: Path) -> None:
    tasks = Tasks()
    media = MediaProcess(
        config=MediaSection(),
        signing=signing(),
        spawn=Spawner(tmp_path),
        clock=SystemClock(),
        tasks=tasks,
        stderr=tmp_path / "no such folder" / "media.log",
    )
    with pytest.raises(Internal):
        await media.encode(order(tmp_path))
    await media.close()


async def test_failures_of_one_file_are_typed_and_leave_the_child_alive(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(64 * 1024))
    async with running(tmp_path) as (media, spawner):
        with pytest.raises(DiskFull) as full:
            await media.encode(order(tmp_path, target=str(small_disk / "one.png")))
        with pytest.raises(FolderUnwritable) as gone:
            await media.encode(order(tmp_path, target=str(tmp_path / "gone" / "one.png")))
        with pytest.raises(Internal) as wrong:
            await media.encode(order(tmp_path, pixels_sha256="0" * 64))
        await media.encode(order(tmp_path))
        assert full.value.detail["folder"] == str(small_disk)
        assert gone.value.detail == {"folder": str(tmp_path / "gone"), "problem": "No such file or directory"}
        assert "SHA-256" in str(wrong.value.detail["problem"])
        assert len(spawner.started) == 1


async def test_a_cancelled_caller_disturbs_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as (media, spawner):
        calls = [asyncio.ensure_future(media.encode(order(tmp_path, f"p{index}"))) for index in range(4)]
        await until(lambda: media.pid is not None, "a child")
        calls[0].cancel()
        calls[2].cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [Path(answers[index].path).stem for index in (1, 3)] == ["p1", "p3"]
        assert len(spawner.started) == 1


async def test_closing_ends_the_child_and_tells_who_waits(tmp_path: Path) -> None:
    async with running(tmp_path, GREET + "sys.stdin.buffer.read()") as (media, spawner):
        waiting = asyncio.ensure_future(media.encode(order(tmp_path)))
        await until(lambda: media.pid is not None, "a child")
        await media.close()
        with pytest.raises(ShuttingDown):
            await waiting
        with pytest.raises(ShuttingDown):
            await media.encode(order(tmp_path))
        await media.prewarm()
        assert len(spawner.started) == 1
        assert spawner.started[0].returncode is not None


def clip_in(folder: Path, **fields: object) -> Path:
    pytest.importorskip("av")
    from tendred.testing.drawn import Drawn, draw

    return draw(folder / "a.mp4", Drawn(**{"width": 1280, "height": 720, "seconds": 0.2, **fields}))


def enlarged(clip: Path, folder: Path) -> Enlarge:
    return Enlarge(
        source=str(clip), sha256=sha256_of(str(clip)), target=str(folder / "b.mp4"), width=3840, height=2160, engine=None,
        settings={},
    )  # fmt: skip


async def test_a_clip_is_looked_into_enlarged_and_pictured_by_one_child(tmp_path: Path) -> None:
    clip = clip_in(tmp_path)
    steps: list[tuple[int, int]] = []
    async with running(tmp_path) as (media, spawner):
        found = await media.probe(str(clip))
        assert (found.width, found.frames) == (1280, 5)
        made = await media.enlarge(enlarged(clip, tmp_path), lambda done, total: steps.append((done, total)))
        assert (made.footage.width, made.footage.sha256) == (3840, sha256_of(str(tmp_path / "b.mp4")))
        assert steps == [(number, 5) for number in range(1, 6)]
        take = Take(path=str(clip), sha256=found.sha256, label="one")
        shown = await media.look(Look(kind="poster", takes=[take], target=str(tmp_path / "p.webp")))
        assert sha256_of(shown.path) == shown.sha256
        assert len(spawner.started) == 1


async def test_a_file_that_is_no_clip_costs_its_own_call_alone(tmp_path: Path) -> None:
    clip = clip_in(tmp_path)
    (tmp_path / "x.mp4").write_bytes(os.urandom(10_000))
    async with running(tmp_path) as (media, spawner):
        with pytest.raises(ClipUnreadable):
            await media.probe(str(tmp_path / "x.mp4"))
        assert (await media.probe(str(clip))).frames == 5
        assert len(spawner.started) == 1


async def test_a_clip_that_ends_the_child_twice_is_unreadable(tmp_path: Path) -> None:
    async with running(tmp_path, GREET + "read_down(sys.stdin.buffer); os._exit(9)") as (media, spawner):
        with pytest.raises(ClipUnreadable):
            await media.probe(str(tmp_path / "x.mp4"))
        assert len(spawner.started) == 2


async def test_a_clip_may_take_long_as_long_as_pictures_come(tmp_path: Path) -> None:
    slow = (
        "call = read_down(sys.stdin.buffer)\n"
        "for done in range(6):\n"
        "    time.sleep(0.3); say(ClipStep(call=call.call, done=done, total=6))\n"
        "say(EncodeFailed(call=call.call, kind='clip_unreadable', problem='at its end'))\n"
        "time.sleep(60)\n"
    )
    told: list[int] = []
    async with running(tmp_path, GREET + slow, timeout_s=1.2) as (media, spawner):
        with pytest.raises(ClipUnreadable, match="at its end"):
            await media.enlarge(enlarged(Path(__file__), tmp_path), lambda done, _total: told.append(done))
        assert told == [0, 1, 2, 3, 4, 5]
        assert len(spawner.started) == 1


async def test_a_clip_that_nobody_wants_any_more_is_left_where_it_is(tmp_path: Path) -> None:
    clip = clip_in(tmp_path, seconds=3.0)
    begun = asyncio.Event()
    async with running(tmp_path) as (media, spawner):
        waiting = asyncio.ensure_future(media.enlarge(enlarged(clip, tmp_path), lambda _done, _total: begun.set()))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await media.probe(str(clip))).frames == 72
        assert not (tmp_path / "b.mp4").exists()
        assert len(spawner.started) == 1


async def test_what_it_signs_it_knows_again(tmp_path: Path) -> None:
    async with running(tmp_path) as (media, spawner):
        made = await media.encode(order(tmp_path))
        found = await media.verify(Verify(path=made.path, folder=signing().folder))
        assert (found.state, found.signer, found.sha256) == ("intact", "ours", made.sha256)
        assert len(spawner.started) == 1


async def test_a_broken_signer_is_told_as_what_it_is_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "signing").mkdir()
    async with running(tmp_path, signer=Signing(folder=str(tmp_path / "signing"))) as (media, spawner):
        with pytest.raises(SignerBroken) as caught:
            await media.encode(order(tmp_path))
        assert caught.value.variant == "file"
        assert caught.value.detail["file"] == str(tmp_path / "signing" / "chain.pem")
        assert not (tmp_path / "one.png").exists()
        assert len(spawner.started) == 1


async def test_a_check_that_is_asked_for_and_not_there_lets_nothing_out(tmp_path: Path) -> None:
    async with running(tmp_path, output_check="no-such-check") as (media, _):
        with pytest.raises(Internal) as caught:
            await media.encode(order(tmp_path))
        assert "no-such-check" in str(caught.value.detail["problem"])
        assert not (tmp_path / "one.png").exists()
