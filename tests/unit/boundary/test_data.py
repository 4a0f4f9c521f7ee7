import pytest

from tendred.boundary.data import RulesBroken, load, packaged, parse, trusted
from tendred.boundary.sums import SUMS

NAMES = ("ages", "anchor", "minors", "normalise", "persons", "reasons", "tongues/de")


def files() -> dict[str, bytes]:
    return packaged()


@pytest.mark.parametrize("name", sorted(SUMS))
def test_other_data_than_the_compiled_one_is_refused(name: str) -> None:
    raw = files()
    for changed in (
        {**raw, name: raw[name] + b" "},
        {key: data for key, data in raw.items() if key != name},
        {**raw, "more": b""},
    ):
        with pytest.raises(RulesBroken, match="not the data"):
            trusted(changed)
    assert trusted(raw).policy == load().policy


def test_the_policy_names_the_version_and_the_data() -> None:
    policy = load().policy
    version, _, digest = policy.partition("+")
    assert version.isdecimal()
    assert len(digest) == 8
    assert parse(files()).policy == policy


@pytest.mark.parametrize("name", NAMES)
def test_any_change_of_the_data_is_another_policy(name: str) -> None:
    raw = files()
    raw[name] += b"# one more word\n"
    assert parse(raw).policy != load().policy


def test_line_ends_are_no_change() -> None:
    told = {name: data if name.endswith(".bin") else data.replace(b"\n", b"\r\n") for name, data in files().items()}
    assert trusted(told).policy == load().policy


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", [b"= broken", b"\xff", b"extra_key = 1\n"])
def test_damaged_data_is_refused_as_a_whole(name: str, damage: bytes) -> None:
    raw = files()
    raw[name] = damage + b"\n" + raw[name]
    with pytest.raises(RulesBroken):
        parse(raw)


@pytest.mark.parametrize("name", [*NAMES[:-1], "head.bin", "names.bin"])
def test_missing_or_empty_data_is_refused(name: str) -> None:
    raw = files()
    del raw[name]
    with pytest.raises(RulesBroken):
        parse(raw)
    with pytest.raises(RulesBroken):
        parse({**files(), "minors": files()["minors"].replace(b"glued = [", b"glued = []\nold = [")})
