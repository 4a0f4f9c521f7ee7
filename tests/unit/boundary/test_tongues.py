# ruff: noqa: RUF001  (letters of other scripts are what these tests are about)
import pytest

from tendred.boundary.ages import ADULT
from tendred.boundary.data import Tongue, load
from tendred.boundary.native import native
from tendred.boundary.tongues import Tongues

TONGUES = Tongues(load().tongues)


def found(text: str) -> list[str]:
    view = native(text)
    return [age.rule for age in TONGUES.find(view.text, 2026) if age.years < ADULT]


@pytest.mark.parametrize(
    "text",
    [
        "ein kleines Mädchen", "ein Junge im Park", "una niña", "un bambino", "uma criança", "een jongetje", "en liten flicka",
        "mała dziewczynka", "malá holčička", "o fetiță", "bir çocuk", "маленькая девочка", "маленька дівчинка", "ένα παιδί", "طفلة صغيرة",
        "والأطفال", "ילדה קטנה", "छोटी लड़की", "小さな女の子", "어린 소녀", "小女孩", "một bé gái", "seorang anak kecil", "un bambin",
    ],
)  # fmt: skip
def test_a_word_for_a_minor(text: str) -> None:
    assert "minor.word" in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "eine 17-jährige Tänzerin", "eine siebzehnjährige Tänzerin", "im Alter von sechzehn", "una mujer de 19 años", "donna di diciassette anni",
        "mulher de 16 anos", "een 12-jarige", "en 15-årig dansare", "kobieta, 17 lat", "en man, 13 år", "siedemnastoletnia", "17letá tanečnice", "femeie de 18 ani",
        "17 yaşında bir kadın", "женщина, 17 лет", "семнадцатилетняя", "жінка, 17 років", "17χρονη χορεύτρια", "عمرها ١٧ سنة", "אישה בת 17",
        "१७ साल की महिला", "17歳の女性", "十七歳", "17살 여자", "一位17岁的女人", "người phụ nữ 17 tuổi", "wanita berusia 17 tahun",
    ],
)  # fmt: skip
def test_an_age_below_the_line(text: str) -> None:
    assert "minor.age" in found(text)


@pytest.mark.parametrize(
    "text", ["Frau, geboren 2010", "женщина 2012 года рождения", "2012年生まれの女性", "2010 doğumlu bir kadın"]
)
def test_a_birth_year(text: str) -> None:
    assert "minor.birth" in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "a barn on a hill", "that kind of light", "sugar on a table", "a la carte", "eine 40 Jahre alte Frau", "vor 10 Jahren gebaut", "una mujer de 45 años",
        "hace 12 años", "un whisky de 12 años", "whisky, 12 lat", "en 12 años de trabajo", "10 anni di esperienza", "виски, выдержка 12 лет", "二十代の女性", "아이스크림",
        "anak kucing di taman", "eine junge Frau", "der junge Mann", "the nearest red house", "sonata in la minore", "אישה בת 40", "40歳の女性",
        "женщина, 47 лет", "kobieta, 40 lat", "Florida, フロリダ", "los 100 mejores", "grabbing a cup of tea", "an alumna of the college",
        "85mm, f/1.8, an old man",
    ],
)  # fmt: skip
def test_what_is_nobody_or_an_adult(text: str) -> None:
    assert found(text) == []


def test_an_exception_hides_no_second_hit() -> None:
    assert found("anak kucing") == []
    assert found("anak kucing dan seorang anak") == ["minor.word"]


def test_there_are_at_least_twenty_languages_each_with_words() -> None:
    tongues = load().tongues
    assert len(tongues) >= 20
    assert all(one.minor or one.solid for one in tongues.values())


def test_a_common_word_counts_beside_its_language_only() -> None:
    tongues = Tongues({"xx": Tongue(minor=["zzz"], here=["barn"], markers=["ett"])})
    assert [age.rule for age in tongues.find("ett barn", 2026)] == ["minor.word"]
    assert list(tongues.find("a barn", 2026)) == []
