"""The recipe's modules, for tests of a part of it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "packaging" / "starter"


@pytest.fixture(scope="module")
def recipe(request):
    """Those that the test module's `NAMES` names: scripts beside each other; taken out again, since their names are plain."""
    names = request.module.NAMES
    sys.path.insert(0, str(RECIPE))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(RECIPE))
        for name in names:
            sys.modules.pop(name, None)
