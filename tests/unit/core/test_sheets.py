"""What is judged of a sheet, and where."""

import threading

import pytest

from tendred.core.sheets import refused
from tendred.schema.sealed import Verdict
from tendred.schema.sheet import Cell, SheetRequest

ALLOWED = Verdict(verdict="allow", rule=None, reason=None, span=None, removed=[], policy="p")


class Listening:
    """A boundary that allows everything, and knows whether it held up the loop."""

    def __init__(self):
        self.on_loop = []

    def judge(self, words, *, lang):
        self.on_loop.append(threading.current_thread() is threading.main_thread())
        return ALLOWED, None


@pytest.mark.parametrize(("labels", "on_loop"), [(2, True), (256, False)])
async def test_many_labels_are_judged_beside_the_loop(labels, on_loop):
    cells = [Cell(x=0, y=at, job_id=None, asset_id=None, label=f"label {at}") for at in range(labels)]
    request = SheetRequest(title="hills", columns=[], rows=[], cells=cells, format="png", lane="batch", tags=[], seed=1)
    boundary = Listening()
    assert await refused(boundary, request, "en") is None
    assert boundary.on_loop == [on_loop]
