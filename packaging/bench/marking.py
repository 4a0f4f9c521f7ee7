"""What it costs to say in every file what it is: the mark in the pixels, the credentials, and reading them again."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _house import Table, arguments, folder, median, ms
from PIL import Image

from tendred.media.worker import watermark
from tendred.media.worker.checks import Checker
from tendred.media.worker.credentials import Signatory
from tendred.media.worker.encode import MEDIA_TYPES, encode
from tendred.media.worker.verify import verify
from tendred.schema.marks import Signing, Verify
from tendred.schema.work import Encode


def drawn(side: int) -> Image.Image:
    """Neither flat nor noise."""
    noise = np.random.default_rng(1).integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)


def took(work: Callable[[], object], times: int) -> float:
    """Median seconds of processor: whatever else runs here, it is this that a file costs."""
    seconds: list[float] = []
    for _ in range(times):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return median(seconds)


def main() -> None:
    options = arguments(__doc__, side=(1024, 256, "pixels of a side"), times=(9, 2, "times each"))
    side, times = options.side, options.times
    table = Table(f"marking a still of {side} x {side}, processor time")
    with folder() as place:
        signatory = Signatory(Signing(folder=str(place / "signing")))
        table.add("key and certificate, once", ms(took(lambda: signatory.identity, 1)))
        picture = drawn(side)
        raw = place / "one.rgb"
        raw.write_bytes(picture.tobytes())
        mark = took(lambda: watermark.embed(picture, 7), times)
        table.add("the mark in the pixels", ms(mark))
        for form in ("png", "jpeg", "webp"):
            out = io.BytesIO()
            picture.save(out, form, **({"compress_level": 3} if form == "png" else {"quality": 92}))
            plain, kind = out.getvalue(), MEDIA_TYPES[form]
            work = Encode(
                raw=str(raw), width=side, height=side, pixels_sha256=hashlib.sha256(raw.read_bytes()).hexdigest(),
                format=form, target=str(place / f"one.{form}"), thumbnail=None, settings={}, parameters="",
            )  # fmt: skip
            signed = took(lambda plain=plain, kind=kind: signatory.sign(plain, kind, []), times)
            whole = took(lambda work=work: encode(work, 92, signatory, Checker()), times)
            more = len(signatory.sign(plain, kind, [])) - len(plain)
            table.add(f"{form}: credentials", ms(signed), "", f"{more:,} bytes more")
            table.add(f"{form}: the whole file", ms(whole), "", f"{whole / (whole - mark - signed):.2f} x unmarked")
            seen = took(lambda file=Path(work.target): verify(Verify(path=str(file))), times)
            table.add(f"{form}: verify", ms(seen))
        table.add("looking for the mark, there", ms(took(lambda: watermark.read(Image.open(place / "one.png")), times)))
        table.add("looking for the mark, where there is none", ms(took(lambda: watermark.read(picture), times)))


if __name__ == "__main__":
    main()
