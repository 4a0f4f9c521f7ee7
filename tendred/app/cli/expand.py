"""expand: what would the choices become? Nothing is made."""

from __future__ import annotations

from typing import Any

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, command, seed

_SHOWN = 10


def add(commands: Commands) -> None:
    parser = command(commands, "expand", "show what {choices} and __wildcards__ would become; makes nothing", _expand)
    parser.add_argument("prompt", nargs="+", metavar="PROMPT")
    parser.add_argument("--negative", dest="negative_prompt", metavar="WORDS")
    parser.add_argument("--character", metavar="NAME", help="see tendre characters")
    parser.add_argument("--preset", metavar="NAME", help="see tendre presets")
    parser.add_argument("--seed", type=seed, metavar="N", help="the first one")
    parser.add_argument("--limit", type=int, default=_SHOWN, metavar="N", help=f"so many seeds ({_SHOWN})")


def _expand(ctx: Context) -> int:
    asked = ctx.args
    page = ctx.call(
        "prompts.expand",
        prompt=" ".join(asked.prompt),
        negative_prompt=asked.negative_prompt,
        character=asked.character,
        preset=asked.preset,
        seed=asked.seed,
        limit=asked.limit,
        lang=ctx.lang,
    )
    ctx.out.document(page)
    ctx.out.table(("SEED", "", "PROMPT"), [_row(ctx, one) for one in page["expansions"]], whole=True)
    ctx.out.note(ctx.say("combinations", count=page["combinations"]))
    refused = any(one["verdict"]["verdict"] == "refuse" for one in page["expansions"])
    return Exit.BOUNDARY if refused else Exit.DONE


def _row(ctx: Context, one: dict[str, Any]) -> tuple[str, str, str]:
    verdict = one["verdict"]
    words = one["prompt"] if not one["negative_prompt"] else f"{one['prompt']}  [- {one['negative_prompt']}]"
    if verdict["verdict"] == "allow":
        return str(one["seed"]), "", words
    told = ctx.say("verdict_refused", rule=verdict["rule"], reason=verdict["reason"])
    return str(one["seed"]), "!", f"{words}  -- {told}"
