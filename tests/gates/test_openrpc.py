"""clients/openrpc.json is what the registry says: `python -m tendred.rpc.openrpc > clients/openrpc.json`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[2] / "clients" / "openrpc.json"


def test_the_file_that_clients_are_made_from_is_current() -> None:
    made = subprocess.run([sys.executable, "-m", "tendred.rpc.openrpc"], capture_output=True, text=True, check=True)
    assert FILE.read_text("utf-8") == made.stdout
