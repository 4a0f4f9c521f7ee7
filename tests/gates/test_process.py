"""What the processes load: the daemon no torch and no picture library, the command line no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from tendred.testing.process import DaemonProcess

CHILDREN_ONLY = {
    "torch", "numpy", "PIL", "av", "diffusers", "transformers", "c2pa", "cryptography", "huggingface_hub", "safetensors", "accelerate",
    "peft", "httpx2", "hf_xet",
}  # fmt: skip
INVENTORY = """
import atexit, json, os, sys
from pathlib import Path
from tendred.testing.faulty import main

@atexit.register
def tell():
    Path(os.environ["TENDRED_HOME"], "modules.json").write_text(json.dumps(sorted(sys.modules)))

sys.exit(main())
"""


def tops(modules):
    return {name.partition(".")[0] for name in modules}


def test_a_daemon_that_drew_and_judged_has_loaded_nothing_of_its_childrens(tmp_path):
    (tmp_path / "inventory.py").write_text(INVENTORY)
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with DaemonProcess(tmp_path / "home", "-o", "library.reserve_bytes=0", module="inventory", env=env) as process:
        client = process.ready()
        job = client.call("images.generate", prompt="red hills")["job"]
        job = client.call("jobs.wait", job_id=job["id"], timeout_s=20)
        assert job["state"] == "succeeded"
        assert client.call("boundary.check", prompt="a 15 year old")["verdict"] == "refuse"
        [asset] = client.call("library.search")["assets"]
        client.call("models.list")
        client.call("rpc.discover")
        request = urllib.request.Request(
            client.discovery.url + asset["url"], headers={"Authorization": f"Bearer {client.discovery.token}"}
        )
        with urllib.request.urlopen(request) as answer:
            assert len(answer.read()) == asset["bytes"]
        client.call("system.shutdown")
        assert process.process.wait(30) == 0, process.words
    loaded = tops(json.loads((tmp_path / "home" / "modules.json").read_text()))
    assert {"tendred", "aiohttp", "sqlite3"} <= loaded
    assert loaded & CHILDREN_ONLY == set()


def modules_after(line):
    code = f"import json, sys\n{line}\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def test_the_daemons_program_imports_nothing_of_its_childrens():
    loaded = modules_after("import tendred.__main__, tendred.api")
    assert "tendred.app.daemon" in loaded
    assert tops(loaded) & CHILDREN_ONLY == set()


def test_the_command_line_is_a_client_and_nothing_else():
    loaded = modules_after("import tendred.app.cli.run")
    assert tops(loaded) & (CHILDREN_ONLY | {"aiohttp", "sqlite3", "watchdog", "pluggy"}) == set()
    rooms = {name.split(".")[1] for name in loaded if name.startswith("tendred.")}
    assert (
        rooms & {"core", "rpc", "engine", "media", "queue", "library", "store", "models", "boundary", "hooks"} == set()
    )


@pytest.mark.parametrize(
    "child", ["tendred.engine.worker.__main__", "tendred.media.worker.__main__", "tendred.pull.worker.__main__"]
)
def test_a_child_knows_no_room_but_its_own(child):
    loaded = modules_after(f"import {child}")
    rooms = {name.split(".")[1] for name in loaded if name.startswith("tendred.")}
    assert rooms <= {"schema", "errors", "locale", "boundary", child.split(".")[1]}
    # The boundary's seal, and none of its judgement or words.
    assert {name for name in loaded if name.startswith("tendred.boundary.")} <= {"tendred.boundary.seal"}
    assert tops(loaded) & {"aiohttp", "sqlite3", "keyring", "watchdog", "pluggy"} == set()


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_the_daemons_program_answers_on_the_command_line(arguments):
    ran = subprocess.run([sys.executable, "-m", "tendred", *arguments], capture_output=True, text=True, check=True)
    assert "tendred" in ran.stdout


def test_what_prevents_a_start_is_told_in_words_with_an_exit_code(tmp_path):
    env = {**os.environ, "TENDRED_HOME": str(tmp_path), "LC_ALL": "fr_FR.UTF-8"}
    ran = subprocess.run(
        [sys.executable, "-m", "tendred", "-o", "rpc.prot=1"], capture_output=True, text=True, env=env, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "rpc.port" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "configuration" in ran.stderr
