"""The fakes as programs: started by name, without pytest."""

import json
import subprocess
import sys

import msgspec
import pytest

from tendred.clock import SystemClock
from tendred.cloud.adapters.registry import MAKERS
from tendred.cloud.adapters.table import load
from tendred.cloud.adapters.wire import Wire
from tendred.config.secret import Secret
from tendred.errors import OutcomeUnknown
from tendred.testing.adapters import ORDER, fetched, ready

FAULTS = """
[[faults]]
where = "submit"
what = "page"
status = 504
accepted = true
"""


@pytest.mark.timeout(120)
async def test_one_is_started_by_name_and_goes_wrong_by_its_script(tmp_path, provider):
    (tmp_path / "faults.toml").write_text(FAULTS)
    (tmp_path / "clip.mp4").write_bytes(b"ftyp" * 5000)
    command = [sys.executable, "-m", "tendred.testing.providers", provider, "--render-s", "0.1", "--key", "own"]
    command += ["--faults", tmp_path / "faults.toml", "--clip", tmp_path / "clip.mp4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        told = json.loads(process.stdout.readline())
        places = {"endpoint": told["url"], "storage": told["url"], "cdn": told["storage"]}
        table = msgspec.structs.replace(load(provider), **places)

        async def key():
            return Secret(told["key"])

        adapter = MAKERS[provider](table, Wire(table, key, SystemClock()))
        with pytest.raises(OutcomeUnknown):
            await adapter.submit(ORDER)
        state = await ready(adapter, (await adapter.submit(ORDER)).remote_id)
        assert await fetched(adapter, state) == b"ftyp" * 5000
        process.terminate()
        assert process.stdout.read() == ""  # nothing that no document has
        assert process.wait(30) == 0


def test_a_script_with_a_slip_is_refused(tmp_path):
    (tmp_path / "faults.toml").write_text('[[faults]]\nwhere = "submit"\nwhat = "explode"\n')
    command = [sys.executable, "-m", "tendred.testing.providers", "ltx", "--faults", tmp_path / "faults.toml"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode != 0
    assert "explode" in ran.stderr
