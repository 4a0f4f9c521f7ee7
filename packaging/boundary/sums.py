"""Write the hashes of the boundary's data into the code that will accept nothing else: tendred/boundary/sums.py.

python packaging/boundary/sums.py [--check]
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Final

ROOM: Final = Path(__file__).parents[2] / "tendred" / "boundary"


def main() -> int:
    data = ROOM / "data"
    lines = [
        '"""The hashes of the data that this version judges with. Written by packaging/boundary/sums.py."""',
        "",
        "from typing import Final",
        "",
        "SUMS: Final = {",
    ]
    for path in sorted(data.rglob("*")):
        if path.is_file():
            told = path.read_bytes()
            name = path.relative_to(data).as_posix().removesuffix(".toml")
            content = told if b"\0" in told else told.replace(b"\r\n", b"\n")
            lines.append(f'    "{name}": "{hashlib.sha256(content).hexdigest()}",')
    text = "\n".join([*lines, "}"]) + "\n"
    target = ROOM / "sums.py"
    if "--check" in sys.argv:
        return int(not target.exists() or target.read_text("utf-8") != text)
    target.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
