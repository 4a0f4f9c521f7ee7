"""upscale: a picture of the library, larger."""

from __future__ import annotations

import secrets
from pathlib import Path

from tendred.app.cli.context import Context
from tendred.app.cli.image import FORMATS, check_target, finish
from tendred.app.cli.parser import Commands, command
from tendred.app.cli.watch import add_options


def add(commands: Commands) -> None:
    parser = command(commands, "upscale", "make a picture of the library larger", _upscale)
    parser.add_argument("asset", metavar="ASSET", help="see tendre library")
    parser.add_argument("-x", "--factor", type=int, default=2, metavar="N", help="2, 3 or 4 times as wide and high (2)")
    parser.add_argument("--model", metavar="NAME", help="tendre models list --kind upscaler; or lanczos")
    parser.add_argument("--format", choices=("png", "jpeg", "webp"), help="png, or what -o ends with")
    parser.add_argument("--lane", choices=("interactive", "normal", "idle"), help="who goes first")
    parser.add_argument("--tag", action="append", dest="tags", metavar="TAG", help="may be given several times")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE_OR_DIR", help="copy the picture there as well")
    parser.add_argument("--open", action="store_true", help="show it when it is done")
    parser.add_argument("--no-wait", action="store_true", help="print the job's id and go")
    add_options(parser)


def _upscale(ctx: Context) -> int:
    args = ctx.args
    check_target(ctx)
    wanted = args.format
    if wanted is None and args.output is not None and not args.output.is_dir():
        wanted = FORMATS.get(args.output.suffix.lower())
    job = ctx.call(
        "images.upscale", asset_id=args.asset, factor=args.factor, model=args.model, format=wanted, lane=args.lane,
        tags=args.tags, idempotency_key=secrets.token_hex(16),
    )["job"]  # fmt: skip
    return finish(ctx, job)
