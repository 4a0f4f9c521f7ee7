"""Where a picture begins, on the command line: stills of the library by id, rectangles, and one-bit bitmaps."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from tendred.app.cli.parser import Parser, number

_RECT: Final = re.compile(r"(\d{1,4}),(\d{1,4}),(\d{1,4}),(\d{1,4})")
_HEAD: Final = re.compile(rb"(P[14])(?:\s+#[^\n]*\n|\s)+(\d{1,4})(?:\s*#[^\n]*\n|\s)+(\d{1,4})\s")
_BITMAP_BYTES: Final = 64 * 1024 * 1024


def add_options(parser: Parser) -> None:
    """Options of `tendre image` that name pictures of the library, or parts of models."""
    group = parser.add_argument_group("begin with a picture of the library")
    group.add_argument("--from", dest="source", metavar="ASSET", help="begin with this one (see tendre library)")
    group.add_argument("--strength", type=number, metavar="X", help="how far to go from it: 0.01 to 1")
    group.add_argument("--crop", type=rect, metavar="X,Y,W,H", help="only this part of it")
    group.add_argument("--mirror", action="store_true", help="left becomes right")
    group.add_argument("--turn", type=int, choices=(90, 180, 270), help="turn it clockwise")
    group.add_argument(
        "--strokes", type=Path, metavar="FILE.json",
        help="paint over it: a list of strokes, each with colour, width and points",
    )  # fmt: skip
    group.add_argument(
        "--mask", type=mask, action="append", default=[], metavar="X,Y,W,H|FILE.pbm",
        help="make only this anew: rectangles, or the black of a bitmap",
    )  # fmt: skip
    group.add_argument("--feather", type=int, metavar="N", help="soften the mask's edge over N pixels")
    group.add_argument(
        "--control", type=control, action="append", default=[], metavar="ASSET:NET[:SCALE]",
        help="let it guide, through a ControlNet; may be given several times",
    )  # fmt: skip
    parser.add_argument("--clip-skip", type=int, metavar="N", help="read the words at the Nth layer from the last")
    parser.add_argument("--vae", metavar="NAME", help="another autoencoder (tendre models list --kind vae)")


def fields(args: Namespace) -> dict[str, Any]:
    """What they say, as fields of a request. Raises ArgumentTypeError for what only makes sense together."""
    found: dict[str, Any] = {"clip_skip": args.clip_skip, "vae": args.vae, "control": args.control or None}
    arranged: dict[str, Any] = {
        "strength": args.strength, "crop": args.crop, "mirror": args.mirror or None, "turn": args.turn,
        "strokes": None if args.strokes is None else strokes(args.strokes),
    }  # fmt: skip
    arranged = {name: value for name, value in arranged.items() if value is not None}
    if args.source is None and (arranged or args.mask):
        first = next(iter(arranged), "mask")
        raise ArgumentTypeError(f"--{first} needs --from ASSET")
    if args.source is not None:
        found["image"] = {"asset_id": args.source, **arranged}
    if args.feather is not None and not args.mask:
        raise ArgumentTypeError("--feather needs --mask")
    if args.mask:
        found["mask"] = _together([_read(one) if isinstance(one, Path) else one for one in args.mask]) | (
            {} if args.feather is None else {"feather": args.feather}
        )
    return found


def rect(text: str) -> dict[str, int]:
    """`X,Y,W,H`."""
    found = _RECT.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not X,Y,W,H")
    return dict(zip(("x", "y", "width", "height"), map(int, found.groups()), strict=True))


def strokes(path: Path) -> list[dict[str, Any]]:
    """A JSON list; what is in it, the daemon checks. Raises ArgumentTypeError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
    except (OSError, msgspec.DecodeError) as problem:
        raise ArgumentTypeError(f"'{path}' can't be read as a list of strokes: {problem}") from None


def mask(text: str) -> dict[str, Any] | Path:
    """`X,Y,W,H`, or the name of a bitmap in PBM, which isn't read yet."""
    if _RECT.fullmatch(text):
        return {"rects": [rect(text)]}
    if Path(text).suffix.lower() != ".pbm":
        raise ArgumentTypeError(f"{text!r} is neither X,Y,W,H nor a bitmap (.pbm; a one-bit picture saved as PBM)")
    return Path(text)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return bitmap(file.read(_BITMAP_BYTES))
    except (OSError, ValueError) as problem:
        raise ArgumentTypeError(f"'{path}' can't be read: {problem}") from None


def bitmap(data: bytes) -> dict[str, Any]:
    """A PBM file as runs; black is made anew. Raises ValueError. Format: netpbm.sourceforge.net/doc/pbm.html."""
    head = _HEAD.match(data)
    if head is None:
        raise ValueError("it is no PBM bitmap")
    width, height = int(head[2]), int(head[3])
    body = data[head.end() :]
    if head[1] == b"P1":
        bits = [byte == ord("1") for byte in re.sub(rb"#[^\n]*", b"", body) if byte in b"01"]
    else:
        row = (width + 7) // 8
        packed = [body[at : at + row] for at in range(0, row * height, row)]
        bits = [bool(line[x >> 3] >> (7 - (x & 7)) & 1) for line in packed if len(line) == row for x in range(width)]
    if len(bits) != width * height or not bits:
        raise ValueError("it is cut off")
    runs = [len([*same]) for _, same in groupby(bits)]
    return {"width": width, "height": height, "runs": [0, *runs] if bits[0] else runs}


def control(text: str) -> dict[str, Any]:
    """`ASSET:NET` or `ASSET:NET:SCALE`."""
    asset, colon, rest = text.partition(":")
    net, second, scale = rest.partition(":")
    if not asset or not net:
        raise ArgumentTypeError(f"{text!r} is not ASSET:NET[:SCALE]")
    return {"asset_id": asset, "model": net} | ({"scale": number(scale)} if colon and second else {})


def told(name: str, value: Any) -> Any:
    """A setting in a few words, where it is more than a number or a text."""
    match name:
        case "image":
            return f"{value['asset_id']} at {value['strength']:g}" if value["strength"] else value["asset_id"]
        case "mask":
            much = f"{len(value['rects'])} rectangles" if value["rects"] else f"{len(value['runs'])} runs"
            return f"{much}, feather {value['feather']}" if value["feather"] else much
        case "control":
            return ", ".join(f"{one['asset_id']}:{one['model']}:{one['scale']:g}" for one in value)
        case "painted":
            return f"{sum(one['strokes'] for one in value)} strokes"
        case "vae":
            return value["name"]
        case _:
            return value


def _together(masks: list[dict[str, Any]]) -> dict[str, Any]:
    if len(masks) == 1:
        return masks[0]
    if any("runs" in one for one in masks):
        raise ArgumentTypeError("a bitmap is a mask by itself; several rectangles go together")
    return {"rects": [rect for one in masks for rect in one["rects"]]}
