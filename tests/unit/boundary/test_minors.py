import pytest

from tendred.boundary.data import load
from tendred.boundary.minors import Minors
from tendred.boundary.normalise import Folder

RULES = load()
FOLDER = Folder(RULES.folding.lookalikes, RULES.folding.emoji)
MINORS = Minors(RULES.minors, lambda text: FOLDER.fold(text).text)


def hit(text: str) -> str | None:
    """What the rule points at, in the text as received."""
    view = FOLDER.fold(text)
    found = MINORS.find(view, text)
    return None if found is None else text[slice(*view.span(*found))]


@pytest.mark.parametrize(
    "word",
    [
        "child", "children", "kid", "kids", "boy", "boys", "girl", "girls", "teen", "teens", "teenager", "schoolgirl", "school girl",
        "school-boy", "toddler", "baby", "babies", "infant", "newborn", "new-born", "youth", "youngster", "adolescent", "juvenile",
        "preteen", "pre-teen", "underage", "under age", "minors", "high school", "fifth grader", "6th grade", "grade 5",
        "kindergarten", "school uniform", "freshman", "little sister", "daughter", "nephew", "her son", "barely legal", "sweet 16",
        "quinceañera", "very young",
        "enfant", "enfants", "bébé", "bebe", "fille", "jeune fille", "fillette", "garçon", "garcon", "gamine", "gosse", "ado", "adolescente",
        "mineur", "mineure", "nourrisson", "nouveau-né", "écolière", "collégien", "lycéenne", "élève", "au collège", "école primaire",
        "classe de sixième", "en CM2", "petit-fils", "son fils", "nièce", "à peine majeure", "uniforme scolaire",
    ],
)  # fmt: skip
def test_words_for_minors(word: str) -> None:
    assert hit(f"portrait, {word}, in a garden") == word
    assert hit(word.upper()) == word.upper()


@pytest.mark.parametrize(
    "text",
    ["1girl, solo", "2girls", "animegirl", "cutechild style", "girl2", "chi ld", "tod\ndler", "👧", "👨‍👩‍👧", "🚸"],
)
def test_glued_split_and_pictured(text: str) -> None:
    assert hit(text) is not None


EXCEPTIONS = [
    "kid leather gloves", "kid-skin boots made of kid suede", "baby grand piano", "baby blue wall", "baby's breath flowers", "baby elephant",
    "two baby sea turtles", "elephant baby", "kid goat", "goat kids", "juvenile eagle", "sea urchin", "minor chord", "minor details",
    "sonata in A minor", "ursa minor", "game boy on a table", "girl scout cookies", "fountain of youth", "much ado about nothing",
    "tater tots", "baby bump", "her 30-year-old daughter", "adult son and adult daughter", "youth hostel", "daughter-in-law",
    "bébé éléphant", "bleu bébé", "garçon de café", "vieille fille", "accord mineur", "concerto en la mineur", "mineur de fond",
    "tôt le matin", "mur élevé",
]  # fmt: skip


@pytest.mark.parametrize("phrase", EXCEPTIONS)
def test_whole_phrases_are_let_through(phrase: str) -> None:
    assert hit(f"a picture with {phrase}.") is None


@pytest.mark.parametrize("phrase", EXCEPTIONS)
def test_an_exception_masks_no_second_word(phrase: str) -> None:
    assert hit(f"a picture with {phrase}, and a kid") == "kid"
    assert hit(f"kid, {phrase}") == "kid"
    assert hit(f"{phrase} enfant") == "enfant"


@pytest.mark.parametrize(
    "text", ["a baby\nblue wall", "a baby, blue wall", "kid. leather", "baby and elephant", "baby—blue"]
)
def test_an_exception_is_one_unbroken_phrase(text: str) -> None:
    assert hit(text) in {"baby", "kid"}


@pytest.mark.parametrize(
    "text",
    [
        "girlfriend", "boyfriend", "cowgirl", "cowboy", "showgirl", "kidney", "canteen", "seventeenth century", "Rothschild", "brainchild",
        "salad", "glass", "5 min or less", "babylon", "ladder", "son chapeau", "avec son chien", "mineral", "enfer", "famille", "thirteen",
        "woman", "young woman", "jeune femme", "jeune homme", "high mountain", "fish school", "school of fish", "sun", "",
    ],
)  # fmt: skip
def test_other_words(text: str) -> None:
    assert hit(text) is None
