"""check: would these words be allowed? Nothing is stored."""

from __future__ import annotations

from tendred.app.cli.context import Context
from tendred.app.cli.exits import Exit
from tendred.app.cli.parser import Commands, command
from tendred.errors import BoundaryRefused
from tendred.schema.error import tell


def add(commands: Commands) -> None:
    parser = command(commands, "check", "ask the content boundary about words; stores nothing", _check)
    parser.add_argument("prompt", nargs="+", metavar="PROMPT")
    parser.add_argument("--negative", dest="negative_prompt", metavar="WORDS")
    parser.add_argument("--character", metavar="NAME", help="see tendre characters")
    parser.add_argument("--kind", choices=("still", "clip"))


def _check(ctx: Context) -> int:
    asked = ctx.args
    words = " ".join(asked.prompt)
    verdict = ctx.call(
        "boundary.check",
        prompt=words,
        negative_prompt=asked.negative_prompt,
        character=asked.character,
        kind=asked.kind,
        lang=ctx.lang,
    )
    ctx.out.document(verdict)
    if verdict["verdict"] == "allow":
        ctx.out.line(ctx.say("allowed", policy=verdict["policy"]))
        if verdict["removed"]:
            ctx.out.line(ctx.say("left_out", removed=", ".join(verdict["removed"])))
        return Exit.DONE
    variant = "named" if verdict["path"] not in {None, "prompt"} else ""
    refused = BoundaryRefused(
        variant, path=verdict["path"], rule=verdict["rule"], reason=verdict["reason"], passes=verdict["passes"]
    )
    ctx.out.line(tell(refused, "", ctx.lang).message)
    if verdict["span"]:
        ctx.out.line(f"  {marked(words, verdict['span'])}")
    ctx.out.line(f"  {verdict['passes']}.")
    return Exit.BOUNDARY


def marked(words: str, span: list[int]) -> str:
    """The words, with brackets around those that were refused."""
    start, end = span
    return f"{words[:start]}[{words[start:end]}]{words[end:]}"
