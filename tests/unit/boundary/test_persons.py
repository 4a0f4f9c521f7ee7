import pytest

from tendred.boundary.data import load
from tendred.boundary.normalise import Folder
from tendred.boundary.persons import Persons

RULES = load()
FOLDER = Folder(RULES.folding.lookalikes, RULES.folding.emoji)
PERSONS = Persons(RULES.persons)


def rule(text: str) -> str | None:
    hit = PERSONS.find(FOLDER.fold(text), text)
    return hit.rule if hit else None


@pytest.mark.parametrize(
    "text",
    [
        "woman who looks like Ostrela Vance", "a man looking like taylor", "looks exactly like Vance", "a lookalike of Vance",
        "look-alike of Vance", "resembling Vance", "in the likeness of Vance", "as played by Vance", "portrayed by Vance",
        "son of Vance", "the daughter of Vance", "deepfake of a man", "a deepfake", "face swap", "faceswapped", "photo of the real Vance",
        "the real Vance", "a celebrity on a red carpet", "clone of Vance", "actress Ostrela Vance", "President Vance", "LOOKS LIKE TAYLOR",
        "femme qui ressemble à Vance", "ressemblant à Élodie", "sosie d'Alain", "sosie de Vance", "à l'effigie de Vance", "joué par Vance",
        "interprétée par Vance", "fils de Vance", "une célébrité", "hypertrucage", "photo du vrai Vance", "le vrai Vance",
        "sous les traits de Vance",
    ],
)  # fmt: skip
def test_likeness(text: str) -> None:
    assert rule(text) == "person.likeness"


@pytest.mark.parametrize(
    "text",
    [
        "the current president of France", "the prime minister of Canada", "the former chancellor", "the US president",
        "the king of Spain", "the pope waving", "l'actuel président", "le président de la République", "la reine d'Angleterre",
        "le premier ministre du Canada", "the sitting president",
    ],
)  # fmt: skip
def test_office(text: str) -> None:
    assert rule(text) == "person.office"


@pytest.mark.parametrize(
    "text",
    [
        "a cloud that looks like a castle", "looks like glass", "It looks like The Moon", "A CLOUD THAT LOOKS LIKE COTTON",
        "the king of the jungle, a lion", "queen of hearts playing card", "the real thing", "a statue resembling Zeus",
        "mother of pearl", "father and mother of the bride", "the president of the club", "l'eau qui ressemble à du verre",
        "starring role", "a famous painting", "portrait of a woman", "",
    ],
)  # fmt: skip
def test_no_real_person(text: str) -> None:
    assert rule(text) is None
