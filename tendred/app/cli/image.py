"""image: words in, a picture out."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tendred.app.cli import sources
from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.fields import lora
from tendred.app.cli.parser import Commands, Parser, UsageError, command, number, seed
from tendred.app.cli.paused import Notice
from tendred.app.cli.watch import add_options, conclude, follow

FORMATS: Final = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
CLIPS: Final = {".mp4": "mp4"}


def add(commands: Commands) -> None:
    parser = command(commands, "image", "make a picture of what the words say", _image)
    options(parser)
    parser.add_argument("--count", type=int, metavar="N", help="how many, with seeds counting up")
    outputs(parser)


def options(parser: Parser) -> None:
    """The fields of a still."""
    parser.add_argument("prompt", nargs="+", metavar="PROMPT", help="what it shows; - reads it from stdin")
    parser.add_argument("--negative", dest="negative_prompt", metavar="WORDS", help="what it should not show")
    parser.add_argument("--model", metavar="NAME", help="see tendre models")
    for name, text in (
        ("width", "pixels"),
        ("height", "pixels"),
        ("steps", "denoising steps"),
        ("seed", "of the first"),
    ):
        parser.add_argument(f"--{name}", type=seed if name == "seed" else int, metavar="N", help=text)
    parser.add_argument("--guidance", type=number, metavar="X", help="how closely the words are followed")
    parser.add_argument("--scheduler", metavar="NAME", help="euler, dpmpp_2m, ddim, ...")
    parser.add_argument(
        "--lora", type=lora, action="append", default=[], metavar="NAME[:WEIGHT]", help="may be given several times"
    )
    parser.add_argument(
        "--character", metavar="NAME", help="who is in it; @NAME among the words says the same (see tendre characters)"
    )
    parser.add_argument("--preset", metavar="NAME", help="fields that are not given here (see tendre presets)")
    sources.add_options(parser)
    parser.add_argument("--format", choices=("png", "jpeg", "webp"), help="png, or what -o ends with")
    parser.add_argument("--lane", choices=("interactive", "normal", "idle"), help="who goes first")
    parser.add_argument(
        "--keep-alive", type=number, dest="keep_alive_s", metavar="S", help="keep the model loaded; -1 until unloaded"
    )
    parser.add_argument(
        "--not-reproducible", action="store_const", const=False, dest="reproducible",
        help="may be drawn in one go with others like it, and can't be promised once more then",
    )  # fmt: skip
    parser.add_argument("--tag", action="append", dest="tags", metavar="TAG", help="may be given several times")


def outputs(parser: Parser) -> None:
    """Options of every command that makes pictures: where they go, and whether somebody waits and looks on."""
    parser.add_argument("-o", "--output", type=Path, metavar="FILE_OR_DIR", help="copy the picture there as well")
    parser.add_argument("--open", action="store_true", help="show it when it is done")
    parser.add_argument("--no-wait", action="store_true", help="print the job's id and go")
    parser.add_argument(
        "--no-preview", action="store_false", dest="preview", help="don't show what is being drawn on the terminal"
    )
    add_options(parser)


def request(args: Namespace) -> dict[str, Any]:
    """The fields of `images.generate`; what nobody said is left to the daemon."""
    prompt = sys.stdin.read().strip() if args.prompt == ["-"] else " ".join(args.prompt)
    names = (
        "negative_prompt", "model", "width", "height", "steps", "seed", "guidance", "scheduler", "character", "preset",
        "format", "lane", "keep_alive_s", "tags", "reproducible",
    )  # fmt: skip
    fields: dict[str, Any] = {name: getattr(args, name) for name in names}
    fields["count"] = getattr(args, "count", None)
    fields["format"] = format_of(args)
    if not prompt.strip() and not (args.source or args.control or args.preset):
        raise UsageError("The prompt is empty: say in words what the picture should show.", f"tendre {args.command}")
    # The key makes the request safe to repeat, should the answer get lost.
    key = secrets.token_hex(16)
    return {**fields, **sources.fields(args), "prompt": prompt, "loras": args.lora or None, "idempotency_key": key}


def format_of(args: Namespace) -> str | None:
    """The one that was asked for, or what --output ends with."""
    if args.format is None and args.output is not None and not args.output.is_dir():
        return FORMATS.get(args.output.suffix.lower())
    return args.format


def _image(ctx: Context) -> int:
    check_output(ctx)
    try:
        fields = request(ctx.args)
    except ArgumentTypeError as problem:
        raise UsageError(str(problem), "tendre image") from None
    return see_through(ctx, ctx.call("images.generate", **fields)["job"])


def check_output(ctx: Context, formats: dict[str, str] = FORMATS) -> None:
    """Refuse an --output that would lie or can't be written, before anything is made. `formats`: by the name's ending."""
    if ctx.args.output is not None:
        _fits(ctx, ctx.args.output, formats)
        _writable(ctx, ctx.args.output)


def see_through(
    ctx: Context, job: dict[str, Any], tell: Callable[[dict[str, Any]], object] | None = None, **beside: Any
) -> int:
    """Wait for a job unless --no-wait, copy and show what came of it. `beside` goes into the document as well.

    `tell` has a word about the finished job.
    """
    if ctx.args.no_wait:
        ctx.out.line(job["id"])
        ctx.out.document({**beside, "job": job, "assets": [], "copies": []})
        Notice(ctx).look(ctx.out.note)
        return Exit.DONE
    ctx.out.note(ctx.say("queued", id=job["id"]))
    if job["removed"]:
        ctx.out.note(ctx.say("left_out", removed=", ".join(job["removed"])))
    job = follow(ctx, job)
    assets = [ctx.call("library.get", asset_id=asset_id) for asset_id in job["asset_ids"]]
    copies = _copy(ctx, assets)
    for asset in assets:
        ctx.out.line(asset["path"])
        ctx.out.note(f"  {', '.join(_about(asset))}")
    for path in copies:
        ctx.out.note(ctx.say("copied", path=path))
    if ctx.args.open and assets:
        _show(copies[0] if copies else Path(assets[0]["path"]))
    if tell is not None:
        tell(job)
    return conclude(ctx, job, {**beside, "job": job, "assets": assets, "copies": [str(path) for path in copies]})


def _about(asset: dict[str, Any]) -> list[str]:
    """An asset in a line; a sheet has neither seed nor, where several drew its pictures, a model."""
    seed = [f"seed {asset['seed']}"] if asset["kind"] == "still" else []
    taken: list[dict[str, Any]] = asset["settings"].get("variations") or []
    steps = [f"{step['strength']:g} of {step['seed']}" for step in taken]
    model = [asset["model"]["name"]] if asset["model"]["name"] else []
    return [f"{asset['width']} x {asset['height']}", *seed, *steps, *model, asset["id"]]


def _fits(ctx: Context, target: Path, formats: dict[str, str]) -> None:
    """A name's ending says what is in the file, or there is none."""
    ending = target.suffix
    if not ending or target.is_dir():
        return
    meant = formats.get(ending.lower())
    if meant is None:
        raise ctx.stop(Exit.USAGE, "invalid_params", "odd_ending", path=target, ending=ending)
    if getattr(ctx.args, "format", None) not in {None, meant}:
        raise ctx.stop(Exit.USAGE, "invalid_params", "other_ending", path=target, ending=ending, format=ctx.args.format)


def _writable(ctx: Context, target: Path) -> None:
    folder = target if target.is_dir() else target.parent
    if not folder.is_dir():
        raise ctx.stop(Exit.USAGE, "invalid_params", "no_target", path=target, problem=f"there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise ctx.stop(Exit.FAILED, "folder_unwritable", "no_target", path=target, problem="no permission")


def _copy(ctx: Context, assets: list[dict[str, Any]]) -> list[Path]:
    target: Path | None = ctx.args.output
    if target is None:
        return []
    copies: list[Path] = []
    for at, asset in enumerate(assets, 1):
        source = Path(asset["path"])
        if target.is_dir():
            wanted = free(target / source.name)
        elif len(assets) == 1:
            wanted = target
        else:
            wanted = target.with_name(f"{target.stem}-{at:03d}{target.suffix or source.suffix}")
        try:
            place(source, wanted)
        except OSError as problem:
            raise ctx.stop(
                Exit.FAILED, "folder_unwritable", "no_target", path=wanted, problem=problem.strerror or problem
            ) from None
        copies.append(wanted)
    return copies


def free(path: Path) -> Path:
    """The path, or `stem~2`, `stem~3`, ... if something stands there."""
    number, wanted = 1, path
    while wanted.exists():
        number += 1
        wanted = path.with_name(f"{path.stem}~{number}{path.suffix}")
    return wanted


def place(source: Path, target: Path) -> None:
    """Copy so that nobody ever sees half a file at the target."""
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _show(path: Path) -> None:
    if sys.platform == "win32":
        os.startfile(path)  # noqa: S606 # the platform's own way to open a document
        return
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if shutil.which(opener):
        subprocess.Popen(
            [opener, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
