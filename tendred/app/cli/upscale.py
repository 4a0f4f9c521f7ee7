"""upscale: a picture of the library, larger."""

from __future__ import annotations

import secrets

from tendred.app.cli.context import Context
from tendred.app.cli.image import check_output, format_of, outputs, see_through
from tendred.app.cli.parser import Commands, command


def add(commands: Commands) -> None:
    parser = command(commands, "upscale", "make a picture of the library larger", _upscale)
    parser.add_argument("asset", metavar="ASSET", help="see tendre library")
    parser.add_argument("-x", "--factor", type=int, default=2, metavar="N", help="2, 3 or 4 times as wide and high (2)")
    parser.add_argument("--model", metavar="NAME", help="tendre models list --kind upscaler; or lanczos")
    parser.add_argument("--format", choices=("png", "jpeg", "webp"), help="png, or what -o ends with")
    parser.add_argument("--lane", choices=("interactive", "normal", "idle"), help="who goes first")
    parser.add_argument("--tag", action="append", dest="tags", metavar="TAG", help="may be given several times")
    outputs(parser)


def _upscale(ctx: Context) -> int:
    args = ctx.args
    check_output(ctx)
    job = ctx.call(
        "images.upscale", asset_id=args.asset, factor=args.factor, model=args.model, format=format_of(args), lane=args.lane,
        tags=args.tags, idempotency_key=secrets.token_hex(16),
    )["job"]  # fmt: skip
    return see_through(ctx, job)
