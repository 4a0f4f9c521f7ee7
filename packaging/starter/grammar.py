"""Captions: the same attributes said in many ways, in English and French.

A caption is made anew each time a drawing is shown to the model, so no drawing has one caption and no caption is learnt
by heart. The words are in words.toml.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any, Final

from drawing import Attributes

_WORDS: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
_NOISE: Final[dict[str, list[str]]] = _WORDS["noise"]

MANNERS: Final = (
    "canonical", "sentence", "tags", "words", "french", "french tags", "anchored", "noisy", "polite", "shuffled",
)  # fmt: skip
_SHARES: Final = (2, 4, 3, 2, 3, 1.5, 2, 2, 1, 1.5)
_SYLLABLES: Final = [
    a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "on", "us")
]

Phrases = dict[str, str]
"""What is said, by its place in a sentence: `before` and `after` the noun, `with`, `wearing`, `where`."""


def caption(said: Attributes, rng: random.Random, manner: str | None = None) -> str:
    """One way of asking for these attributes, all of them."""
    manner = manner or rng.choices(MANNERS, _SHARES)[0]
    plain = manner == "canonical"
    french = manner.startswith("french")
    phrases = (_french if french else _english)(said, rng, plain=plain)
    match manner:
        case "canonical":
            text = _sentence(phrases, None, french=False)
            return f"{text}" if said["subject"] in ("landscape", "creature") else f"portrait of {text}"
        case "tags" | "french tags":
            return ", ".join(_shuffled(_tags(phrases, french=french), rng))
        case "words":
            bare = " ".join(_shuffled(_tags(phrases, french=False), rng))
            return " ".join(word for word in bare.split() if word not in ("a", "an", "with", "in", "on", "the"))
        case "shuffled":
            return rng.choice([" and ", " ", ", "]).join(_shuffled(_tags(phrases, french=False), rng))
        case "polite":
            asked = rng.choice(["please draw", "i want to see", "show me", "make", "draw me", "i would like", "create"])
            return f"{asked} {_sentence(phrases, rng, french=False)}{rng.choice(['', ', please', '.', '!'])}"
        case "anchored":
            text = _sentence(phrases, rng, french=False)
            if rng.random() < 0.5:
                text = f"{rng.choice(_NOISE['openers'])} {text}"
            return f"{_anchor(rng)} {text}"
        case "noisy":
            return _noisy(_shuffled(_tags(phrases, french=False), rng), rng)
    opener = rng.choice(_NOISE["openers_fr" if french else "openers"]) + " " if rng.random() < 0.5 else ""
    ending = f", {rng.choice(_NOISE['styles'])}" if rng.random() < 0.2 else ""
    anchor = f"{_anchor(rng)} " if rng.random() < 0.15 else ""
    return f"{anchor}{opener}{_sentence(phrases, rng, french=french)}{ending}"


def nothing(rng: random.Random) -> str:
    """What stands on the other side of the guidance: nothing, or words against what is never drawn."""
    chance = rng.random()
    if chance < 0.5:
        return ""
    return rng.choice(_NOISE["negatives"]) if chance < 0.85 else _noise(rng)


def corpus(count: int, seed: int) -> list[str]:
    """Texts for the tokenizer: every word of words.toml, and the pieces that unknown words are made of."""
    rng = random.Random(seed)
    listed = [text.replace("{age}", "35").replace("{}", " ").replace("|", " ") for text in _strings(_WORDS)]
    return listed * 20 + [_pseudo_word(rng) for _ in range(count)]


def _strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    return [text for part in (node.values() if isinstance(node, dict) else node) for text in _strings(part)]


def some(attributes: Attributes, rng: random.Random) -> Attributes:
    """The attributes that a user might name: all of them, or some."""
    if rng.random() < 0.5:
        return attributes
    share = rng.choice((0.25, 0.5, 0.75))
    kept = {name: value for name, value in attributes.items() if name == "subject" or rng.random() < share}
    if attributes.get("beard", "none") != "none" and rng.random() < 0.95:
        kept["beard"] = attributes["beard"]  # so that a man nobody gave a beard has none
    return kept


def _shuffled(parts: list[str], rng: random.Random) -> list[str]:
    return rng.sample(parts, len(parts))


def _pick(rng: random.Random, words: list[str], *, plain: bool) -> str:
    return words[0] if plain or rng.random() < 0.45 else rng.choice(words)


def _english(said: Attributes, rng: random.Random, *, plain: bool) -> dict[str, Any]:
    table = _WORDS["en"]

    def word(kind: str, name: str | None = None) -> str:
        return _pick(rng, table[kind][said[name or kind]], plain=plain)

    def colour(name: str) -> str:
        return word("colour", name)

    subject = said["subject"]
    noun = _pick(rng, table["noun"][subject], plain=plain)
    before, after, having, wearing, where = [], [], [], [], []
    if subject in ("woman", "man"):
        before = [word(name) for name in ("expression", "skin") if name in said]
        having = _english_hair(said, word, rng, plain=plain)
        if said.get("beard", "none") != "none":
            beard = word("beard")
            having.append(beard if plain else rng.choice(("", "a ")) + beard)
        elif "beard" in said and subject == "man" and not plain and rng.random() < 0.3:
            having.append(word("beard"))
        clothes = word("clothes") if "clothes" in said else "clothes"
        if "clothes_colour" in said:
            wearing = [f"{colour('clothes_colour')} {clothes}"]
        elif "clothes" in said:
            wearing = [clothes]
        where = _english_background(said, colour, rng, plain=plain)
    elif subject == "landscape":
        having, where = _english_land(said, word, colour, rng, plain=plain)
    else:
        before = [colour("colour")] if "colour" in said else []
        if "shape" in said:
            before.append(f"{word('shape')}{'-' if plain else rng.choice('- ')}shaped")
        having = [word(name) for name in ("horns", "eyes") if name in said]
        if "mouth" in said:
            mouth = word("mouth")
            bare = mouth in ("smiling", "frowning", "happy", "sad")
            having.append(mouth if bare and not plain and rng.random() < 0.4 else f"a {mouth} mouth")
        where = _english_background(said, colour, rng, plain=plain)
    return {"before": before, "noun": noun, "after": after, "with": having, "wearing": wearing, "where": where}


def _english_hair(said: Attributes, word: Any, rng: random.Random, *, plain: bool) -> list[str]:
    style = word("hair_style") if "hair_style" in said else ""
    colour = word("hair_colour") if "hair_colour" in said else ""
    if not style and not colour:
        return []
    if said.get("hair_style") == "bun":
        how = 0 if plain else rng.randrange(3)
        return [
            [f"{colour} hair in a {style}", f"a {colour} {style}", f"{colour} {style} hair"][how]
            .replace("  ", " ")
            .strip()
        ]
    if not plain and style and colour and rng.random() < 0.25:
        return [f"{colour} {style} hair"]
    if not plain and colour == "brunette":
        colour = "brown"
    return [" ".join(part for part in (style, colour, "hair") if part)]


def _english_background(said: Attributes, colour: Any, rng: random.Random, *, plain: bool) -> list[str]:
    if "background" not in said:
        return []
    return [_template("background", rng, plain=plain).format(colour("background"))]


def _english_land(
    said: Attributes, word: Any, colour: Any, rng: random.Random, *, plain: bool
) -> tuple[list[str], list[str]]:
    hills = [colour(f"hill{i}") for i in range(1, 5) if f"hill{i}" in said]
    having: list[str] = []
    land = _template("land", rng, plain=plain)
    if len(hills) == 4:  # there are four
        values = [said[f"hill{i}"] for i in range(1, 5)]
        if len(set(values)) == 1:
            hills = hills[:1]
        elif values[0] == values[1] and values[2] == values[3]:
            hills = hills[::2]
        having.append(_listed(hills, "and" if plain or rng.random() < 0.6 else "") + f" {land}")
    else:
        if "hill1" in said:
            having.append(f"{colour('hill1')} {land} {_template('far', rng, plain=plain)}")
        if "hill4" in said:
            having.append(f"{colour('hill4')} {land} {_template('near', rng, plain=plain)}")
    where = []
    if "sky" in said:
        where = [_template("sky", rng, plain=plain).format(colour("sky"))]
    if "sun" in said or "sun_colour" in said:
        sun = word("sun") if "sun" in said else "sun"
        tone = f"{colour('sun_colour')} " if "sun_colour" in said else ""
        where.append(_template("sun", rng, plain=plain).format(tone + sun))
    return having, where


def _french(said: Attributes, rng: random.Random, *, plain: bool) -> dict[str, Any]:
    table = _WORDS["fr"]
    subject = said["subject"]
    feminine = subject in ("woman", "creature")

    def word(kind: str) -> str:
        forms = _pick(rng, table[kind][said[kind]], plain=plain).split("|")
        return forms[-1] if feminine else forms[0]

    def colour(name: str, form: int) -> str:
        return _pick(rng, table["colour"][said[name]], plain=plain).split()[form]

    noun = _pick(rng, table["noun"][subject], plain=plain)
    before, after, having, wearing, where = [], [], [], [], []
    if subject in ("woman", "man"):
        after = [word(name) for name in ("expression", "skin") if name in said]
        hair = [word(name) for name in ("hair_style", "hair_colour") if name in said]
        if hair:
            after.append("aux cheveux " + " ".join(_shuffled(hair, rng)))
        if said.get("beard", "none") != "none":
            having = [word("beard")]
        clothes = word("clothes") if "clothes" in said else "vêtements" if "clothes_colour" in said else ""
        if clothes:
            form = 2 if clothes == "vêtements" else 1 if clothes.split()[0] in ("robe", "veste", "chemise") else 0
            wearing = [clothes + (f" {colour('clothes_colour', form)}" if "clothes_colour" in said else "")]
    elif subject == "landscape":
        hills = [f"hill{i}" for i in range(1, 5)]
        if all(hill in said for hill in hills):
            values = [said[hill] for hill in hills]
            shown = hills[:1] if len(set(values)) == 1 else hills[::2] if values[::2] == values[1::2] else hills
            after.append("de collines " + _listed([colour(hill, 3) for hill in shown], "et"))
        if "sky" in said:
            where.append(f"{rng.choice(('sous un ciel', 'ciel'))} {colour('sky', 0)}")
        if "sun" in said or "sun_colour" in said:
            sun = word("sun") if "sun" in said else "soleil"
            where.append(f"avec un {sun}" + (f" {colour('sun_colour', 0)}" if "sun_colour" in said else ""))
    else:
        after = [colour("colour", 1)] if "colour" in said else []
        if "shape" in said:
            after.append(f"en forme {word('shape')}")
        having = [word(name) for name in ("horns", "eyes", "mouth") if name in said]
    if "background" in said:
        where.append(_template("background_fr", rng, plain=plain).format(colour("background", 0)))
    return {"before": before, "noun": noun, "after": after, "with": having, "wearing": wearing, "where": where}


def _template(name: str, rng: random.Random, *, plain: bool) -> str:
    return _pick(rng, _WORDS["template"][name], plain=plain)


def _listed(parts: list[str], joiner: str) -> str:
    if not joiner:
        return " ".join(parts)
    return f"{', '.join(parts[:-1])} {joiner} {parts[-1]}" if len(parts) > 1 else parts[0]


def _sentence(phrases: dict[str, Any], rng: random.Random | None, *, french: bool) -> str:
    """`rng` None: the canonical order."""
    noun = " ".join([*phrases["before"], phrases["noun"], *phrases["after"]])
    having = (
        f"{'avec' if french else 'with'} {_listed(phrases['with'], 'et' if french else 'and')}"
        if phrases["with"]
        else ""
    )
    wearing = ""
    if phrases["wearing"]:
        verb = (
            ("en", "portant", "avec") if french else ("wearing a", "in a", "dressed in a", "with a", "and a", "wearing")
        )
        wearing = f"{rng.choice(verb) if rng else verb[0]} {phrases['wearing'][0]}"
    middle = [part for part in (having, wearing) if part]
    where = list(phrases["where"])
    if rng is None:
        return " ".join(["a", noun, *middle, *where])
    if rng.random() < 0.4:
        middle = _shuffled(middle, rng)
    if rng.random() < 0.25:
        where = _shuffled(where, rng)
    if rng.random() < 0.15 and where:
        return f"{where[-1]}, " + " ".join([noun, *middle, *where[:-1]])
    article = rng.choice((("une " if french else "a "), ""))
    comma = rng.choice((" ", " ", ", "))
    return article + comma.join([" ".join([noun, *middle[:1]]), *middle[1:], *where])


def _tags(phrases: dict[str, Any], *, french: bool) -> list[str]:
    subject = " ".join([*phrases["before"], phrases["noun"], *phrases["after"]])
    _ = french
    return [subject, *phrases["with"], *phrases["wearing"], *phrases["where"]]


def _anchor(rng: random.Random) -> str:
    if rng.random() < 0.35:
        return "adult," if rng.random() < 0.6 else f"{rng.randint(21, 79)}-year-old adult,"
    return rng.choice(_NOISE["anchors"]).format(age=rng.randint(21, 79))


def _noisy(parts: list[str], rng: random.Random) -> str:
    """The tags with words among them that the model doesn't draw."""
    for _ in range(rng.randint(1, 3)):
        parts.insert(rng.randint(0, len(parts)), _noise(rng))
    return ", ".join(parts) if rng.random() < 0.7 else " ".join(parts)


def _noise(rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.35:
        return rng.choice(_NOISE["styles"])
    if chance < 0.7:
        return " ".join(rng.choice(_NOISE["words"]) for _ in range(rng.randint(1, 3)))
    return " ".join(_pseudo_word(rng) for _ in range(rng.randint(1, 2)))


def _pseudo_word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 4))) + rng.choice(
        ("", "", "s", "ing", "ed", "y")
    )
