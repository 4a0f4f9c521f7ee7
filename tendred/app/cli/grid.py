"""grid: the same still with different values, side by side."""

from __future__ import annotations

from tendred.app.cli.context import Context
from tendred.app.cli.fields import axis
from tendred.app.cli.image import check_output, options, outputs, request, see_through
from tendred.app.cli.parser import Commands, command


def add(commands: Commands) -> None:
    parser = command(commands, "grid", "make stills along two axes, and one labelled sheet of them", _grid)
    text = "steps=4,8,12; seed=1..4; loras=none,ink:0.5,ink:1; prompt:red=blue,green replaces a word"
    parser.add_argument("-x", "--x", type=axis, required=True, metavar="FIELD=VALUES", help=text)
    parser.add_argument("-y", "--y", type=axis, metavar="FIELD=VALUES", help="what is different from row to row")
    options(parser)
    outputs(parser)


def _grid(ctx: Context) -> int:
    check_output(ctx)
    made = ctx.call("images.grid", **request(ctx.args), x=ctx.args.x, y=ctx.args.y)
    ids = " ".join(cell["job_id"] for cell in made["cells"][:3])
    more = " …" if len(made["cells"]) > 3 else ""  # noqa: PLR2004 # a few are enough to recognise them
    ctx.out.note(ctx.say("cells", count=len(made["cells"]), ids=ids + more))
    return see_through(ctx, made["job"], cells=made["cells"])
