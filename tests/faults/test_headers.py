"""Headers gone wrong, thousands of them, read in a real process that may take 64 MB more than at rest."""

import json
import subprocess
import sys

import pytest

ENOUGH = 20_000


def read(tmp_path, seed, count):
    ran = subprocess.run(
        [sys.executable, "-m", "tendred.testing.mutants", str(seed), str(count), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout)
    assert sum(told["outcomes"].values()) == count
    assert told["foreign"] == []
    return told["outcomes"]


def test_some_hundred_of_them(tmp_path):
    outcomes = read(tmp_path, seed=1, count=300)
    assert outcomes["refused"] > 200
    assert outcomes["new"] > 0


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_twenty_thousand_of_them(tmp_path):
    for seed in range(10):
        read(tmp_path, seed, ENOUGH // 10)
