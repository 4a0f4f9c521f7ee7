"""pull, pulls: models from the hub."""

from __future__ import annotations

import re
import shlex
from typing import Any, Final

from tendred.app.cli.context import Context, Stop
from tendred.app.cli.exits import Exit, of_kind
from tendred.app.cli.jobs import when
from tendred.app.cli.out import short, size
from tendred.app.cli.parser import Commands, command
from tendred.app.cli.watch import Show, bar
from tendred.schema.error import ErrorInfo

STATES: Final = ("queued", "running", "paused", "succeeded", "failed", "cancelled")
_MOVING: Final = ("queued", "running")
_HELD: Final = ("paused", "failed")
_WATCHED_S: Final = 0.25
_QUIET_S: Final = 10.0
_LICENCE: Final = 40
_PAGE: Final = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+)(?:/tree/([^/?#]+))?.*")


def add(commands: Commands) -> None:
    one = command(commands, "pull", "fetch a model from the hub; the same again goes on where it stopped", _pull)
    one.add_argument("what", nargs="?", metavar="OWNER/NAME", help="or its page's address, or a pull's id")
    one.add_argument("--revision", metavar="REV", help="branch, tag or commit (main)")
    one.add_argument("--variant", metavar="KIND", help="weights of this kind, such as fp16")
    one.add_argument("--name", help="what to call it; the repository's own name unless given")
    one.add_argument("--no-wait", action="store_true", help="print the pull's id and go")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--pause", action="store_true", help="let it rest; without a name, the one that runs")
    how.add_argument("--resume", action="store_true", help="go on; without a name, the one that rests")
    how.add_argument("--cancel", action="store_true", help="give it up and remove what was fetched")
    many = command(commands, "pulls", "list pulls, newest first", _pulls)
    many.add_argument("--state", choices=STATES, action="append", help="may be given several times")
    many.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (20)")


def repo_of(text: str) -> tuple[str, str | None]:
    """Repository and revision of a name, or of the address of a model's page."""
    page = _PAGE.fullmatch(text)
    return (page[1], page[2]) if page else (text, None)


def _pull(ctx: Context) -> int:
    args = ctx.args
    if args.pause:
        return _told(ctx, ctx.call("pulls.pause", pull_id=_find(ctx, _MOVING)["id"]))
    if args.cancel:
        return _told(ctx, ctx.call("pulls.cancel", pull_id=_find(ctx, (*_MOVING, *_HELD))["id"]))
    if args.resume or args.what is None or args.what.startswith("pul_"):
        pull = ctx.call("pulls.resume", pull_id=_find(ctx, _HELD if args.resume else (*_MOVING, *_HELD))["id"])
    else:
        repo, revision = repo_of(args.what)
        pull = ctx.call(
            "models.pull", repo=repo, revision=args.revision or revision, variant=args.variant, name=args.name
        )
    if args.no_wait:
        ctx.out.line(pull["id"])
        ctx.out.document({"pull": pull})
        return Exit.DONE
    return _told(ctx, _follow(ctx, pull))


def _find(ctx: Context, states: tuple[str, ...]) -> dict[str, Any]:
    """The pull that is meant: by id or repository, or the only one there is. Raises Stop."""
    what: str | None = ctx.args.what
    if what is not None and what.startswith("pul_"):
        return ctx.call("pulls.get", pull_id=what)
    known = ctx.call("pulls.list", state=list(states), limit=500)["pulls"]
    meant = known if what is None else [pull for pull in known if pull["repo"] == repo_of(what)[0]]
    if what is None and len(meant) > 1:
        meant = [pull for pull in meant if pull["state"] == "running"] or meant[:1]
    if not meant:
        if what is None:
            raise ctx.stop(Exit.FAILED, "not_found", "pull_nothing" if states == _MOVING else "pull_no_rest")
        raise ctx.stop(Exit.FAILED, "not_found", "pull_none", what=what)
    return meant[0]


def _follow(ctx: Context, pull: dict[str, Any]) -> dict[str, Any]:
    """Wait until it neither waits nor runs. Ctrl-C leaves it alone and says so."""
    step = _WATCHED_S if ctx.out.on_terminal else _QUIET_S
    said: set[str] = set()
    try:
        with bar(ctx, _stage) as show:
            while pull["state"] in _MOVING:
                _remark(ctx, pull, show, said)
                show(pull)
                pull = ctx.call("pulls.wait", pull_id=pull["id"], timeout_s=step)
    except KeyboardInterrupt:
        ctx.out.note(ctx.say("pull_goes_on", repo=pull["repo"]))
        raise Stop(Exit.INTERRUPTED) from None
    return pull


def _remark(ctx: Context, pull: dict[str, Any], show: Show, said: set[str]) -> None:
    """What stays on the screen: what is being fetched and under which licence, and what is in the way."""
    if pull["total_bytes"] is not None and "known" not in said:
        said.add("known")
        show.note(ctx.say("pull_known", **_about(pull), repo=pull["repo"], files=pull["files"]))
    if pull["retry_at"] is not None and pull["retry_at"] not in said:
        said.add(pull["retry_at"])
        show.note(ctx.say("pull_retry", problem=pull["error"]["message"]))


def _stage(pull: dict[str, Any]) -> tuple[str, int, int | None, str]:
    if pull["total_bytes"] is None:
        return pull["phase"] or pull["state"], 0, None, ""
    words = [f"{size(pull['done_bytes'])} of {size(pull['total_bytes'])}"]
    if pull["rate_bytes"]:
        words.append(f"{size(pull['rate_bytes'])}/s")
    if pull["eta_s"] is not None:
        words.append(_span(pull["eta_s"]))
    return pull["phase"] or pull["state"], pull["done_bytes"], pull["total_bytes"], ", ".join(words)


def _span(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {left:02d} s" if minutes else f"{left} s"


def _told(ctx: Context, pull: dict[str, Any]) -> int:
    """How it stands, in words, and the exit code for it."""
    if pull["state"] == "failed":
        info = ErrorInfo(**{name: pull["error"].get(name) for name in ErrorInfo.__struct_fields__})
        ctx.out.error(info, pull=pull)
        return of_kind(info.kind)
    ctx.out.document({"pull": pull})
    if pull["state"] == "succeeded":
        ctx.out.line(ctx.say("pull_done", **_about(pull), name=pull["name"], quoted=shlex.quote(pull["name"])))
    elif pull["state"] == "cancelled":
        ctx.out.line(ctx.say("pull_cancelled", repo=pull["repo"]))
        return Exit.DONE if ctx.args.cancel else Exit.CANCELLED
    elif pull["state"] == "paused":
        total = "?" if pull["total_bytes"] is None else size(pull["total_bytes"])
        ctx.out.line(ctx.say("pull_paused", repo=pull["repo"], done=size(pull["done_bytes"]), total=total))
        return Exit.DONE if ctx.args.pause else Exit.FAILED
    return Exit.DONE


def _about(pull: dict[str, Any]) -> dict[str, str]:
    return {"size": size(pull["total_bytes"] or 0), "licence": short(pull["licence"] or "?", _LICENCE)}


def _pulls(ctx: Context) -> int:
    page = ctx.call("pulls.list", state=ctx.args.state, limit=ctx.args.limit)
    ctx.out.document(page)
    if not page["pulls"]:
        ctx.out.note(ctx.say("none"))
        return Exit.DONE
    rows = [
        (pull["id"], pull["state"], _stage(pull)[3] or "-", when(pull["created_at"]), _what(pull))
        for pull in page["pulls"]
    ]
    ctx.out.table(("ID", "STATE", "FETCHED", "CREATED", "MODEL"), rows)
    return Exit.DONE


def _what(pull: dict[str, Any]) -> str:
    words = [pull["repo"], *(part for part in (pull["variant"],) if part)]
    return " ".join([*words, *([f"({pull['error']['kind']})"] if pull["error"] else [])])
