"""shot: from words to takes, from one of them to a 4K final."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.app.cli.clip import offer
from tendred.app.cli.context import Context
from tendred.app.cli.credits import told
from tendred.app.cli.exits import Exit
from tendred.app.cli.image import CLIPS, check_output, outputs, see_through
from tendred.app.cli.out import short
from tendred.app.cli.parser import Commands, actions, command

WORDS: Final = 48
FOLDER: Final = "tendre-rehearsal"


def add(commands: Commands) -> None:
    parser = command(commands, "shot", "draft takes of a clip, lock one, finish it in 4K")
    nouns = actions(parser)
    command(nouns, "list", "shots, newest first", _list)
    _adders(nouns)
    for name, text, run in (("show", "one shot", _show), ("takes", "its takes, with pictures of each", _takes)):
        command(nouns, name, text, run).add_argument("shot", metavar="SHOT")
    command(nouns, "lock", "freeze a take: its motion, framing and sound", _lock).add_argument("take", metavar="TAKE")
    compare = command(nouns, "compare", "two takes beside each other, as one picture", _compare)
    compare.add_argument("left", metavar="TAKE")
    compare.add_argument("right", metavar="TAKE")
    demo = command(nouns, "demo", "rehearse all of it on this machine: no account, nothing is paid", _demo)
    demo.add_argument("-o", "--output", type=Path, metavar="DIR", help=f"where the files go (./{FOLDER})")
    demo.add_argument("--seconds", type=int, default=2, metavar="N", help="length of the clip (2)")


def _adders(nouns: Commands) -> None:
    new = command(nouns, "create", "write down what you are after", _create)
    new.add_argument("prompt", nargs="+", metavar="PROMPT", help="what happens, how it looks and what is heard")
    new.add_argument("--name", metavar="NAME", help="for people; the first words otherwise")
    new.add_argument("--first", metavar="ASSET", help="a still of the library that is the first picture")
    new.add_argument("--last", metavar="ASSET", help="a still of the library that is the last picture")
    new.add_argument("--character", metavar="NAME", help="whoever is in the first still, if nobody is named")
    new.add_argument("--tag", action="append", dest="tags", metavar="TAG", help="may be given several times")
    draft = command(nouns, "draft", "price another take", _draft)
    draft.add_argument("shot", metavar="SHOT")
    draft.add_argument("--provider", metavar="NAME")
    draft.add_argument("--model", metavar="NAME")
    draft.add_argument("--size", choices=("720p", "1080p"), help="1080p")
    draft.add_argument("--portrait", action="store_true", help="higher than wide")
    draft.add_argument("--seconds", type=int, metavar="N", help="6")
    draft.add_argument("--fps", metavar="N", help="24; 24000/1001 and the like too")
    draft.add_argument("--silent", action="store_true", help="without sound")
    draft.add_argument("--seed", type=int, metavar="N", help="where the model takes one")
    draft.add_argument("--accept-stale", action="store_true", default=None, help="with a price list older than 90 days")
    finish = command(nouns, "finish", "make the 4K final of the locked take", _finish)
    finish.add_argument("shot", metavar="SHOT")
    finish.add_argument("--way", choices=("refine", "upscale", "new_take"), help="refine where it is open, or upscale")
    finish.add_argument("--upscaler", metavar="NAME", help="tendre models list --kind upscaler; lanczos otherwise")
    finish.add_argument("--consent", action="store_true", default=None, help="to a new take, which is another one")
    finish.add_argument(
        "--accept-stale", action="store_true", default=None, help="with a price list older than 90 days"
    )
    outputs(finish)


def _create(ctx: Context) -> int:
    args = ctx.args
    shot = ctx.call(
        "shots.create", prompt=" ".join(args.prompt), name=args.name, first=args.first, last=args.last,
        character=args.character, tags=args.tags,
    )  # fmt: skip
    ctx.out.document(shot)
    ctx.out.line(shot["id"])
    _guide(ctx, shot)
    return Exit.DONE


def _guide(ctx: Context, shot: dict[str, Any]) -> None:
    """How long the prompt is, if that is not how models like it; and what is said in it."""
    guidance = shot["guidance"]
    if guidance["advice"] != "fits":
        numbers = {name: guidance[name] for name in ("words", "least", "most")}
        ctx.out.note(ctx.say(f"shot_{guidance['advice']}", **numbers))
    for words in guidance["speech"]:
        ctx.out.note(ctx.say("shot_speech", words=words))


def _draft(ctx: Context) -> int:
    args = ctx.args
    drafted = ctx.own(
        "shots.draft", shot_id=args.shot, provider=args.provider, model=args.model, size=args.size,
        orientation="portrait" if args.portrait else None, seconds=args.seconds, fps=args.fps,
        audio=False if args.silent else None, seed=args.seed, accept_stale=args.accept_stale,
    )  # fmt: skip
    ctx.out.document(drafted)
    offer(ctx, drafted["quote"])
    _guide(ctx, drafted["shot"])
    _ways(ctx, drafted["ways"])
    return Exit.DONE


def _ways(ctx: Context, ways: list[dict[str, Any]]) -> None:
    for way in ways:
        ctx.out.note(ctx.say("way_open" if way["open"] else "way_closed", way=way["way"], reason=way["reason"] or ""))


def _list(ctx: Context) -> int:
    page = ctx.call("shots.list")
    ctx.out.document(page)
    rows = [(it["id"], it["state"], str(it["takes"]), short(it["name"], WORDS)) for it in page["shots"]]
    ctx.out.table(("SHOT", "STATE", "TAKES", "NAME"), rows)
    return Exit.DONE


def _show(ctx: Context) -> int:
    shot = ctx.call("shots.show", shot_id=ctx.args.shot)
    ctx.out.document(shot)
    _told(ctx, shot)
    return Exit.DONE


def _told(ctx: Context, shot: dict[str, Any]) -> None:
    locked, final = shot["locked"], shot["final"]
    rows = {
        "shot": shot["id"],
        "name": shot["name"],
        "state": shot["state"],
        "prompt": shot["prompt"],
        **{frame: shot[frame]["asset_id"] for frame in ("first", "last") if shot[frame]},
        **({"character": shot["character"]["name"]} if shot["character"] else {}),
        "takes": shot["takes"],
        **({"locked": f"take {locked['n']} ({locked['take_id']}), {locked['model']}"} if locked else {}),
        **({"final": f"{final['way']}: {final['asset_id'] or final['state']}"} if final else {}),
    }
    for name, value in rows.items():
        ctx.out.line(f"{name:<16}{value}")
    if locked:
        _ways(ctx, locked["ways"])


def _takes(ctx: Context) -> int:
    found = ctx.call_long("shots.takes", shot_id=ctx.args.shot)
    ctx.out.document(found)
    rows = [
        (
            str(it["n"]), it["id"], it["state"], "draft" if it["label"] == "draft" else "new take, no final",
            f"{it['width']} x {it['height']}", f"{it['seconds']} s", it["fps"], it["model"],
        )
        for it in found["takes"]
    ]  # fmt: skip
    ctx.out.table(("N", "TAKE", "STATE", "WHAT", "SIZE", "LENGTH", "FPS", "MODEL"), rows)
    for it in found["takes"]:
        pictures: dict[str, str] = it["pictures"] or {}
        for kind, path in pictures.items():
            ctx.out.note(f"  {it['n']} {kind:<10}{path}")
    return Exit.DONE


def _lock(ctx: Context) -> int:
    shot = ctx.call_long("shots.lock", take_id=ctx.args.take)
    ctx.out.document(shot)
    _told(ctx, shot)
    return Exit.DONE


def _compare(ctx: Context) -> int:
    made = ctx.call_long("shots.compare", left=ctx.args.left, right=ctx.args.right)
    ctx.out.document(made)
    ctx.out.line(made["path"])
    return Exit.DONE


def _finish(ctx: Context) -> int:
    args = ctx.args
    check_output(ctx, CLIPS)
    finished = ctx.own(
        "shots.finish", shot_id=args.shot, way=args.way, upscaler=args.upscaler, consent=args.consent,
        accept_stale=args.accept_stale,
    )  # fmt: skip
    ctx.out.note(finished["said"])
    if finished["job_id"] is None:
        ctx.out.document(finished)
        offer(ctx, finished["quote"])
        return Exit.DONE
    return see_through(ctx, ctx.call("jobs.get", job_id=finished["job_id"]), finished=finished)


def _demo(ctx: Context) -> int:
    """In a process of its own: neither this one nor a daemon of the user's has anything to do with it."""
    target: Path = ctx.args.output or Path.cwd() / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    ctx.out.note(ctx.say("rehearsal"))
    line = [sys.executable, "-m", "tendred.testing.rehearsal", str(target), "--seconds", str(ctx.args.seconds)]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise ctx.stop(Exit.FAILED, "internal", "rehearsal_failed", code=process.returncode)
    made: dict[str, Any] = msgspec.json.decode(said)
    ctx.out.document(made)
    for path in made["paths"]:
        ctx.out.line(path)
    figures = {name: made[name] for name in ("width", "height", "seconds")}
    ctx.out.note(ctx.say("rehearsed", spent=told(made["spent_mcr"]), hz=made["sound_hz"], **figures))
    return Exit.DONE
