import msgspec
from msgspec.structs import asdict, replace

from tendred.schema.still import Repeat, Still, Variation, numbered, parents_of
from tendred.testing.orders import STILL

STEPS = [Variation(asset_id="ast_a", seed=5, strength=0.5), Variation(asset_id="ast_b", seed=90, strength=0.1)]


def test_seeds_of_a_count_go_up_by_one():
    many = replace(STILL, seed=7, count=3)
    ones = [numbered(many, index) for index in range(3)]
    assert [(one.seed, one.count) for one in ones] == [(7, 1), (8, 1), (9, 1)]
    assert numbered(ones[2], 0) == ones[2]


def test_variations_share_their_first_noise_and_differ_in_the_last():
    many = replace(STILL, seed=7, count=3, variations=STEPS)
    last = numbered(many, 2)
    assert (last.seed, last.count) == (7, 1)
    assert [step.seed for step in last.variations] == [5, 92]
    assert [step.strength for step in last.variations] == [0.5, 0.1]
    assert numbered(last, 0) == last
    assert many.variations == STEPS


def test_a_picture_comes_from_what_it_repeats_or_from_what_it_varied_last():
    repeat = Repeat(asset_id="ast_c", pixels_sha256="", promised=True)
    assert parents_of(STILL) == []
    assert parents_of(replace(STILL, variations=STEPS)) == ["ast_b"]
    assert parents_of(replace(STILL, variations=STEPS, again=repeat)) == ["ast_c"]


def test_what_an_older_version_sealed_can_be_read():
    old = {name: value for name, value in asdict(STILL).items() if name not in {"again", "variations"}}
    assert msgspec.json.decode(msgspec.json.encode(old), type=Still) == STILL
