"""again, variations: what was made, as something to make."""

from __future__ import annotations

import secrets
from typing import Any

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.image import check_output, outputs, see_through
from tendred.app.cli.out import short
from tendred.app.cli.parser import Commands, command, number, seed

_HASH = 12


def add(commands: Commands) -> None:
    again = command(commands, "again", "make a picture once more, the same pixels where that can be promised", _again)
    again.add_argument("asset_id", metavar="ASSET", help="see tendre library")
    again.add_argument("--dry-run", action="store_true", help="only say whether the same pixels can be promised")
    again.add_argument("--insist", action="store_true", help="make it even if they can't")
    vary = command(commands, "variations", "make pictures near one of the library", _variations)
    vary.add_argument("asset_id", metavar="ASSET", help="see tendre library")
    vary.add_argument("-n", "--count", type=int, metavar="N", help="how many (4)")
    vary.add_argument("--strength", type=number, metavar="X", help="how far from it, above 0 and up to 1 (0.2)")
    vary.add_argument("--seed", type=seed, metavar="N", help="of the first one's other noise; chosen unless given")
    for parser in (again, vary):
        parser.add_argument("--lane", choices=("interactive", "normal", "idle"), help="who goes first")
        outputs(parser)


def _again(ctx: Context) -> int:
    args = ctx.args
    _prepare(ctx)
    answer = ctx.call(
        "images.again", asset_id=args.asset_id, dry_run=args.dry_run, insist=args.insist, lane=args.lane,
        idempotency_key=secrets.token_hex(16),
    )  # fmt: skip
    job = answer.pop("job")
    _promise(ctx, answer)
    if job is None:
        ctx.out.document({**answer, "job": None})
        if not (answer["promised"] or args.dry_run):
            ctx.out.note(ctx.say("insist", id=args.asset_id))
        return Exit.DONE if args.dry_run else Exit.FAILED
    broken: list[str] = []

    def tell(done: dict[str, Any]) -> None:
        outcome: dict[str, Any] = done["again"] or {}
        if outcome.get("equal") is not None:
            ctx.out.note(ctx.say("same_pixels" if outcome["equal"] else "other_pixels", id=args.asset_id))
        if outcome.get("promised") and outcome.get("equal") is False:
            broken.append(done["id"])

    code = see_through(ctx, job, tell, **answer)
    return Exit.FAILED if broken and code == Exit.DONE else code


def _promise(ctx: Context, answer: dict[str, Any]) -> None:
    if answer["promised"]:
        ctx.out.note(ctx.say("promised"))
        return
    ctx.out.note(ctx.say("not_promised"))
    for found in answer["differences"]:
        then, now = (_shown(ctx, found[when]) for when in ("then", "now"))
        ctx.out.note(ctx.say("difference", what=found["what"], then=then, now=now))


def _shown(ctx: Context, value: object) -> str:
    if value is None:
        return ctx.say("unknown")
    text = str(value)
    is_hash = len(text) == 64 and all(char in "0123456789abcdef" for char in text)  # noqa: PLR2004  hex of SHA-256
    return short(text, _HASH) if is_hash else text


def _variations(ctx: Context) -> int:
    args = ctx.args
    _prepare(ctx)
    made = ctx.call(
        "images.variations", asset_id=args.asset_id, count=args.count, strength=args.strength, seed=args.seed,
        lane=args.lane, idempotency_key=secrets.token_hex(16),
    )  # fmt: skip
    return see_through(ctx, made["job"])


def _prepare(ctx: Context) -> None:
    """The format is the picture's own, and the --output must not say another."""
    ctx.args.format = None
    if ctx.args.output is not None:
        ctx.args.format = ctx.call("library.get", asset_id=ctx.args.asset_id)["settings"].get("format")
        check_output(ctx)
