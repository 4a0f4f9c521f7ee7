"""Headers gone wrong, read in a process that may take no more memory: `python -m tendred.testing.mutants SEED COUNT DIR`.

Each is a real header with something done to it: bytes flipped, cut, doubled, numbers made huge, keys by the million,
nested, named in emoji. What reads them has a fixed room above what the process takes at rest; more ends it. Prints one
JSON document: how many were taken for what, and the most memory that was ever taken.
"""

from __future__ import annotations

import json
import random  # noqa: TID251 - a seed makes a run, and a failure, come again
import resource
import struct
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tendred.models.header import HEADER_BYTES
from tendred.models.places import Spot
from tendred.models.scan import examine
from tendred.models.walk import Candidate
from tendred.testing.headers import REAL, header, values

ROOM: Final = 64 * 1024 * 1024
_PAGE: Final = 4096
_RIGHT: Final = 0.8
"""So many have the length that the whole header says: a change that matters little must get through to the end."""
Mutate = Callable[[random.Random, bytes], bytes]


def flipped(rng: random.Random, text: bytes) -> bytes:
    """Some bytes are others."""
    data = bytearray(text)
    for _ in range(rng.choice((1, 3, 30))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(rng: random.Random, text: bytes) -> bytes:
    """It ends early, or begins late."""
    at = rng.randrange(len(text))
    return rng.choice((text[:at], text[at:]))


def doubled(rng: random.Random, text: bytes) -> bytes:
    """A piece of it is there twice."""
    at, size = rng.randrange(len(text)), rng.randrange(200)
    return text[:at] + text[at : at + size] + text[at:]


def moved(rng: random.Random, text: bytes) -> bytes:
    """Offsets overlap, run backwards, or lead far away."""
    number = rng.choice((b"0", b"1", b"-1", b"18446744073709551616", b"1e9", b"9007199254740993"))
    parts = text.split(b'"data_offsets":[')
    at = rng.randrange(1, max(2, len(parts)))
    if at < len(parts):
        head, _, rest = parts[at].partition(rng.choice((b",", b"]")))
        parts[at] = rng.choice((number + b"," + rest, head + b"," + number + b"]" + rest))
    return b'"data_offsets":['.join(parts)


def sized(rng: random.Random, text: bytes) -> bytes:
    """A tensor with sides that are none: very many, negative, or so large that their product has a thousand digits."""
    sides = rng.choice(("1," * 400_000, "-1,", "9223372036854775807," * 60, "1e400,", '"x",', "[[[],")).rstrip(",")
    return text.replace(b'"shape":[', b'"shape":[' + sides.encode() + b",", 1)


def crowded(rng: random.Random, _: bytes) -> bytes:
    """As many keys as fit, each as small as can be."""
    form = rng.choice(
        (b'"%x":0,', b'"%x" : 0 ,', b'"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},', b'"\\u0041%x":[],')
    )
    size = rng.choice((HEADER_BYTES // 8, HEADER_BYTES - 64))
    return b"{" + b"".join(form % number for number in range(size // (len(form) + 4))) + b'"z":0}'


def nested(rng: random.Random, _: bytes) -> bytes:
    """Deep."""
    return rng.choice((b'{"a":', b"[", b'{"__metadata__":')) * rng.choice((50, 5_000, 1_000_000))


def told(rng: random.Random, text: bytes) -> bytes:
    """Much is said of it, in letters that are wide in memory."""
    word = rng.choice(("🦊", "x", "\\\\", "é")) * rng.choice((10, 200_000, HEADER_BYTES // 8))
    return text.replace(b'"format":"pt"', b'"format":"' + word.encode() + b'"', 1)


def renamed(rng: random.Random, text: bytes) -> bytes:
    """Names that lead somewhere, or types that are none."""
    old, new = rng.choice(
        ((b"weight", b"../../x"), (b'"F16"', b'"PY"'), (b"blocks", b"\xff\xfe"), (b"model", b"\\ud800"))
    )
    return text.replace(old, new)


MUTATIONS: Final[tuple[tuple[int, Mutate], ...]] = (
    (30, flipped), (15, cut), (15, doubled), (15, moved), (5, sized), (1, crowded), (1, nested), (2, told), (10, renamed),
)  # fmt: skip


def written(rng: random.Random, file: Path) -> str:
    """Make one; returns what was done to what."""
    kind = rng.choice(sorted(REAL))
    shapes = REAL[kind]()
    whole = header(shapes)
    [mutate] = rng.choices([how for _, how in MUTATIONS], [often for often, _ in MUTATIONS])
    text = mutate(rng, whole[8:])[: 2 * HEADER_BYTES]
    length = rng.choices((len(text), rng.randrange(1 << 20), 200 << 20, (1 << 64) - 1), (97, 1, 1, 1))[0]
    file.write_bytes(struct.pack("<Q", length) + text)
    with file.open("r+b") as out:
        # As long as it says, or nearly; nothing of it takes room on the disk.
        out.truncate(8 + len(text) + (values(shapes) if rng.random() < _RIGHT else rng.choice((0, 1, _PAGE, 1 << 33))))
    return f"{mutate.__name__} {kind}"


def main(argv: list[str]) -> int:
    """Read `COUNT` of them. Ends by an exception, or a signal, if one of them breaks the reader."""
    seed, count, folder = int(argv[0]), int(argv[1]), Path(argv[2])
    rng = random.Random(seed)
    file = folder / "x.safetensors"
    spot = Spot(folder, "folder")
    written(rng, file)
    examine(Candidate(file, is_folder=False, spot=spot))
    at_rest = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = at_rest + ROOM
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        what = written(rng, file)
        # Making one takes memory too: only the reading is held to its room.
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        try:
            outcomes[examine(Candidate(file, is_folder=False, spot=spot)).state] += 1
        except BaseException:
            sys.stderr.write(f"seed {seed}: {what}\n")
            raise
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    foreign = sorted({"torch", "numpy", "safetensors", "diffusers"} & set(sys.modules))
    sys.stdout.write(json.dumps({"outcomes": outcomes, "room_bytes": ROOM, "foreign": foreign}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
