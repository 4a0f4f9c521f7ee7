import pytest

from tendred.boundary.data import load
from tendred.boundary.names import Names
from tendred.boundary.native import native
from tendred.boundary.normalise import Folder, View

RULES = load()
FOLDER = Folder(RULES.folding.lookalikes, RULES.folding.emoji)
NAMES = Names(RULES.names, RULES.persons)


def known(text: str) -> bool:
    return NAMES.find(FOLDER.fold(text), text) is not None or NAMES.native(native(text), text) is not None


def left_out(text: str, *keep: str) -> list[str]:
    return [text[start:end] for start, end in NAMES.unknown(FOLDER.fold(text), text, frozenset(keep))]


@pytest.mark.parametrize(
    "text",
    [
        "portrait of Abraham Lincoln", "abraham lincoln in a park", "Lincoln, no: Abraham-Lincoln", "Mark Twain", "photo of mark twain",
        "Beyoncé on a stage", "putin", "織田信長", "习近平在公园", "Юрий Гагарин", "김정은", "नरेंद्र मोदी", "photo of Prince", "michaeljordan_v2",
    ],
)  # fmt: skip
def test_a_notable_person(text: str) -> None:
    assert known(text)


@pytest.mark.parametrize(
    "text",
    [
        "a woman in a park", "a mark on the wall", "a hill, twain bridges", "the prince of an invented land", "San Francisco skyline",
        "a landscape in the style of Monet", "Mucha style poster", "Rembrandt lighting", "a Victoria sponge", "Santa Monica pier",
        "a Tiffany lamp", "масляная живопись, мягкий свет", "海边的老人", "木のテーブルの上のお茶", "a fox and the hound",
    ],
)  # fmt: skip
def test_nobody(text: str) -> None:
    assert not known(text)


def test_a_style_is_lent_by_the_long_dead_only() -> None:
    assert not known("in the style of Vincent van Gogh")
    assert known("in the style of Abraham Lincoln")
    assert known("Vincent van Gogh in a park")


def test_letters_spelled_apart() -> None:
    run = View("portraitofabrahamlincoln", range(24), range(1, 25))
    hit = NAMES.spelled(run)
    assert hit is not None
    assert run.text[hit.start : hit.end] == "abrahamlincoln"
    assert NAMES.spelled(View("aquiethillside", range(14), range(1, 15))) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("photo of Sandra Kowalczyk smiling", ["Sandra Kowalczyk"]), ("photo of sandra kowalczyk smiling", ["sandra kowalczyk"]),
        ("my neighbour Dariusz in the garden", ["Dariusz"]), ("a woman named Zsofia at a window", ["Zsofia"]),
        ("a red house on a hill, 85mm", []), ("Charlotte, North Carolina from above", []), ("a woman in Paris", []), ("Kodak Portra 400", []),
        ("A Woman Stands In A Wheat Field", []), ("uma mulher de 65 anos", []), ("ένα γατάκι πάνω σε βιβλίο", []), ("the god Thor in a storm", []),
        ("une femme de 34 ans, lumière douce", []),
        ("photo of S\u0430ndra K\u043ewalczyk smiling", ["S\u0430ndra K\u043ewalczyk"]),
    ],
)  # fmt: skip
def test_a_name_that_nobody_knows_is_left_out(text: str, names: list[str]) -> None:
    assert left_out(text) == names


def test_the_name_of_a_character_stays() -> None:
    assert left_out("photo of Sandra Kowalczyk", "sandra", "kowalczyk") == []


def test_the_gazetteer_is_as_large_as_it_says() -> None:
    tables = RULES.names
    assert len(tables.known) // 8 >= 30_000
    assert len(tables.native) // 8 >= 5_000
    assert all(len(getattr(tables, name)) % 8 == 0 for name in tables.__struct_fields__)
