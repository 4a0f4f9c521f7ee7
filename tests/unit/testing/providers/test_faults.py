import msgspec
import pytest

from tendred.testing.providers.faults import Fault, Script, load


def test_faults_come_in_order_from_the_call_they_name_and_are_used_up():
    script = Script([Fault(where="submit", what="reset", nth=2, times=2), Fault(where="poll", what="cut")])
    assert [fault and fault.what for fault in map(script.due, ["submit", "submit", "poll", "submit", "submit", "poll"])] == [
        None, "reset", "cut", "reset", None, None,
    ]  # fmt: skip


def test_what_is_added_counts_from_there():
    script = Script([])
    assert script.due("poll") is None
    script.add(Fault(where="poll", what="cut"), Fault(where="poll", what="reset", nth=3))
    assert [fault and fault.what for fault in map(script.due, ["poll"] * 4)] == ["cut", None, "reset", None]


def test_a_script_does_not_use_up_anothers_faults():
    faults = [Fault(where="poll", what="cut")]
    assert all(Script(faults).due("poll") is not None for _ in range(2))


def test_a_file_of_them(tmp_path):
    file = tmp_path / "faults.toml"
    file.write_text('[[faults]]\nwhere = "download"\nwhat = "cut"\nat = 5\n')
    assert load(file) == [Fault(where="download", what="cut", at=5)]
    file.write_text('[[faults]]\nwhere = "download"\nwhat = "cut"\nwhen = 5\n')
    with pytest.raises(msgspec.ValidationError):
        load(file)
