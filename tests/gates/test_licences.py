import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "packaging" / "licences.py"


@pytest.fixture(scope="module")
def licences():
    spec = importlib.util.spec_from_file_location("licences", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", "FINE"),
        ("mit", "FINE"),
        ("Apache Software License", "FINE"),
        ("ISC License (ISCL)", "FINE"),
        ("Apache-2.0 WITH LLVM-exception AND MIT", "FINE"),
        ("GPL-3.0-only OR MIT", "FINE"),
        ("(GPL-3.0-only OR MIT) AND BSD-3-Clause", "FINE"),
        ("MPL-2.0 AND MIT", "NOTE"),
        ("MPL-2.0 OR MIT", "FINE"),
        ("GPL-3.0-only", "UNKNOWN"),
        ("MIT AND GPL-3.0-only", "UNKNOWN"),
        ("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", "UNKNOWN"),
        ("unknown", "UNKNOWN"),
        ("", "UNKNOWN"),
        ("(MIT", "UNKNOWN"),
        ("MIT)", "UNKNOWN"),
    ],
)
def test_an_expression_is_judged_by_its_worst_part_and_its_best_choice(licences, expression, verdict):
    assert licences.judge(expression) == getattr(licences, verdict)


def test_everything_that_is_installed_for_us_is_allowed(licences, capsys):
    assert licences.main() == 0
    assert "torch" in {distribution.metadata["Name"] for distribution in licences.closure(licences.roots())}
    assert "0 not allowed" in capsys.readouterr().out


def test_what_wheels_bring_along_is_told_and_comes_with_an_extra_only(licences):
    class Told:
        metadata = {"Name": "av", "License-Expression": "BSD-3-Clause"}

    assert licences.judge(licences.licence(Told)) == licences.UNKNOWN
    asked = {licences.Requirement(text).name for text in licences.roots()}
    assert not asked & set(licences.BUNDLED)
