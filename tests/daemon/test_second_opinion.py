"""Published files, as a second implementation of C2PA sees them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tendred.core.studio import Search

pytestmark = [pytest.mark.heavy, pytest.mark.needs("node")]
PLACE = Path(__file__).parents[2] / "packaging" / "second"


def second(*files):
    """What it says of each file."""
    if not (PLACE / "node_modules").is_dir():
        missing = "npm install --prefix packaging/second"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    ran = subprocess.run(["node", str(PLACE / "verify.mjs"), *files], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ran.stdout.splitlines()]


async def test_what_is_published_is_valid_and_what_was_changed_is_not(make_daemon, tmp_path):
    daemon = await make_daemon()
    for form in ("png", "jpeg"):
        await daemon.still("red hills", format=form, count=4)
    files = [asset.path for asset in (await daemon.studio.search(Search())).assets]
    assert len(files) == 8
    changed = tmp_path / "changed.png"
    data = bytearray(Path(next(file for file in files if file.endswith(".png"))).read_bytes())
    data[-30] ^= 1
    changed.write_bytes(data)
    *published, other = second(*files, str(changed))
    assert [one["codes"] for one in published] == [[]] * 8
    assert all(one["valid"] for one in published)
    assert (other["valid"], other["codes"]) == (False, ["assertion.dataHash.mismatch"])
