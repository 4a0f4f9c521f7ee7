"""What the starter can draw: a subject's attributes, and the picture of them.

Pictures come from parametric drawings: `dicebear-core` puts the parts of a style together, `resvg-py` rasterises them.
The styles are definition files of the npm package `@dicebear/styles`; only those below are used, whose licences are
CC0 and CC BY and whose figures are adults or no people at all (`STYLES`).
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import json
import random
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import resvg_py
from dicebear import Avatar, Style
from numpy.typing import NDArray
from PIL import Image

STYLES_VERSION: Final = "10.6.0"
STYLES: Final = {
    "toon-head": "CC BY 4.0, a remix of ToonHead by Johan Melin (figma.com/community/file/1589627891082866389)",
    "landscape": "CC0 1.0, DiceBear",
    "clay": "CC0 1.0, DiceBear",
}
SIDE: Final = 128
"""Pixels of a side of the pictures the model is trained on."""

COLOURS: Final = {
    "red": "#d03030", "orange": "#f08a24", "yellow": "#f2d13c", "green": "#3fa34d", "blue": "#3a76d8",
    "purple": "#7b3fb0", "pink": "#f08fb8", "white": "#f5f5f5", "black": "#222222", "gray": "#8d8d8d",
    "teal": "#2aa198", "brown": "#7a4a26",
}  # fmt: skip
HAIR: Final = {
    "blond": "#e8c25a", "brown": "#6b3f1d", "black": "#1b1b1b", "red": "#b5421a", "gray": "#b0b0b0", "pink": "#f08fb8",
    "blue": "#3a76d8",
}  # fmt: skip
SKIN: Final = {"pale": "#f4d2ba", "tan": "#d9a06b", "brown": "#8d5524", "dark": "#4b2b1a"}
# Each expression is told by the whole face: mouth, brows and eyes.
EXPRESSIONS: Final = {
    "smiling": ("smile", "happy", "wide"),
    "laughing": ("laugh", "happy", "happy"),
    "sad": ("sad", "sad", "humble"),
    "angry": ("angry", "angry", "wide"),
    "surprised": ("agape", "raised", "wide"),
}
WOMENS_HAIR: Final = {"long straight": "longStraight", "long wavy": "longWavy", "short": "neckHigh",
                      "shoulder length": "shoulderHigh"}  # fmt: skip
MENS_HAIR: Final = {"spiky": "spiky", "undercut": "undercut", "bun": "bun"}
BEARDS: Final = {"full": "fullBeard", "long": "longBeard", "moustache": "moustacheTwirl"}
CLOTHES: Final = {"dress": "dress", "jacket": "openJacket", "shirt": "shirt", "t-shirt": "tShirt",
                  "turtleneck": "turtleNeck"}  # fmt: skip
SUNS: Final = ("sun", "ring", "glow")
SHAPES: Final = ("egg", "cube", "pear", "slug")
HORNS: Final = ("horns", "spikes", "antenna", "ears")
EYES: Final = {"one": "mono", "three": "trio", "big": "big", "googly": "googly"}
MOUTHS: Final = {"smile": "smile", "frown": "frown", "toothy": "toothy", "round": "o"}

# What the model is asked for and the judge looks at: every attribute with its values, by subject.
_PERSON: Final = {
    "skin": tuple(SKIN), "hair_colour": tuple(HAIR), "hair_style": (*WOMENS_HAIR, *MENS_HAIR),
    "beard": ("none", *BEARDS), "expression": tuple(EXPRESSIONS), "clothes": tuple(CLOTHES),
    "clothes_colour": tuple(COLOURS), "background": tuple(COLOURS),
}  # fmt: skip
ATTRIBUTES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "woman": _PERSON,
    "man": _PERSON,
    "landscape": {
        "sky": tuple(COLOURS), "sun": SUNS, "sun_colour": tuple(COLOURS),
        "hill1": tuple(COLOURS), "hill2": tuple(COLOURS), "hill3": tuple(COLOURS), "hill4": tuple(COLOURS),
    },
    "creature": {
        "colour": tuple(COLOURS), "shape": SHAPES, "horns": HORNS, "eyes": tuple(EYES), "mouth": tuple(MOUTHS),
        "background": tuple(COLOURS),
    },
}  # fmt: skip
SUBJECTS: Final = tuple(ATTRIBUTES)
_SHARES: Final = (0.3, 0.3, 0.2, 0.2)
_HELD_OUT_ONE_IN: Final = 12

Attributes = dict[str, str]
"""`subject` and what `ATTRIBUTES` names for it."""


_FACE: Final = (slice(48, 96), slice(40, 88))
_CLOSE: Final = {"landscape": (slice(0, 48), slice(0, SIDE)), "creature": (slice(24, 96), slice(32, 96))}


@cache
def heads() -> dict[str, tuple[str, ...]]:
    """Every question that can be asked of a picture, `subject.attribute`, with its answers."""
    found: dict[str, tuple[str, ...]] = {"subject": SUBJECTS}
    for subject, attributes in ATTRIBUTES.items():
        kind = "person" if subject in ("woman", "man") else subject
        found |= {f"{kind}.{name}": values for name, values in attributes.items()}
    return found


def answers(attributes: Attributes) -> dict[str, str]:
    """A subject's attributes under the names of `heads`."""
    subject = attributes["subject"]
    kind = "person" if subject in ("woman", "man") else subject
    return {"subject": subject} | {f"{kind}.{name}": value for name, value in attributes.items() if name != "subject"}


def places(attributes: Attributes) -> list[int | None]:
    """By question of `heads`, the place of the right answer among its answers; None where nothing is said of it."""
    known = answers(attributes) if attributes else {}
    return [values.index(known[name]) if name in known else None for name, values in heads().items()]


def close(subject: str) -> tuple[slice, slice]:
    """Rows and columns, in pixels, where nearly all the difference between two pictures of a subject lies.

    A face, where a mouth is a line of two pixels; a sky, for its sun.
    """
    return _CLOSE.get(subject, _FACE)


def held_out(attributes: Attributes) -> bool:
    """Whether this combination is kept for the examination: it is never drawn for training.

    Decided by the attributes that any two of these share only by being alike in all of them.
    """
    names = {
        "woman": ("hair_colour", "clothes_colour", "background", "expression"),
        "landscape": ("sky", "sun_colour", "hill1"),
        "creature": ("colour", "shape", "eyes", "background"),
    }["woman" if attributes["subject"] == "man" else attributes["subject"]]
    key = "|".join([attributes["subject"], *(attributes[name] for name in names)])
    return hashlib.sha256(key.encode()).digest()[0] % _HELD_OUT_ONE_IN == 0


def choose(rng: random.Random, *, examination: bool = False, subject: str | None = None) -> Attributes:
    """A subject at random, from the training combinations or, for an examination, from those held out."""
    while True:
        found = _choose(rng, subject or rng.choices(SUBJECTS, _SHARES)[0])
        if held_out(found) == examination:
            return found


def _choose(rng: random.Random, subject: str) -> Attributes:
    colours = list(COLOURS)
    found: Attributes = {"subject": subject}
    if subject in ("woman", "man"):
        found |= {name: rng.choice(values) for name, values in _PERSON.items()}
        found["hair_style"] = rng.choice(list(WOMENS_HAIR if subject == "woman" else MENS_HAIR))
        if subject == "woman" or rng.random() < 0.4:
            found["beard"] = "none"
    elif subject == "landscape":
        sky = rng.choice(colours)
        land = [colour for colour in colours if colour != sky]
        few = rng.choice((1, 2, 4, 4))
        hills = [colour for colour in [rng.choice(land) for _ in range(few)] for _ in range(4 // few)]
        found |= {"sky": sky, "sun": rng.choice(SUNS), "sun_colour": rng.choice(land)}
        found |= {f"hill{i + 1}": hill for i, hill in enumerate(hills)}
    else:
        found |= {name: rng.choice(values) for name, values in ATTRIBUTES["creature"].items()}
        found["background"] = rng.choice([colour for colour in colours if colour != found["colour"]])
    return found


class Artist:
    """Draws attributes. `styles` is the folder of style definitions (`styles()`)."""

    def __init__(self, styles: Path) -> None:
        read = {name: json.loads((styles / f"{name}.json").read_text("utf-8")) for name in STYLES}
        # The style has suns anywhere. A model this small then can't make up its mind, and draws two halves of one.
        read["landscape"]["components"]["orb"]["translate"] = {"x": {"min": 0, "max": 0}, "y": {"min": 8, "max": 8}}
        self._styles: dict[str, Any] = {name: Style(style) for name, style in read.items()}

    def draw(
        self, attributes: Attributes, rng: random.Random, side: int = SIDE, *, over: str = ""
    ) -> NDArray[np.uint8]:
        """The picture, `(side, side, 3)` in sRGB. What the attributes don't settle is `rng`'s; `over` is SVG on top."""
        style, options = _options(attributes, rng)
        svg = Avatar(self._styles[style], options).to_string().removesuffix("</svg>") + f"{over}</svg>"
        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
        drawn = Image.open(io.BytesIO(png)).convert("RGBA")
        flat = Image.new("RGBA", drawn.size, (255, 255, 255, 255))
        flat.alpha_composite(drawn)
        return np.asarray(flat.convert("RGB"))


def _options(attributes: Attributes, rng: random.Random) -> tuple[str, dict[str, Any]]:
    if attributes["subject"] == "landscape":
        return "landscape", _landscape(attributes, rng)
    if attributes["subject"] == "creature":
        return "clay", _creature(attributes, rng)
    return "toon-head", _person(attributes, rng)


def _person(attributes: Attributes, rng: random.Random) -> dict[str, Any]:
    mouth, brows, eyes = EXPRESSIONS[attributes["expression"]]
    woman = attributes["subject"] == "woman"
    options: dict[str, Any] = {
        "seed": str(rng.random()),
        "hairColor": [HAIR[attributes["hair_colour"]]],
        "skinColor": [SKIN[attributes["skin"]]],
        "clothesColor": [COLOURS[attributes["clothes_colour"]]],
        "backgroundColor": [COLOURS[attributes["background"]]],
        "mouthVariant": [mouth],
        "eyebrowsVariant": [brows],
        "eyesVariant": [eyes],
        "clothesVariant": [CLOTHES[attributes["clothes"]]],
        "hairProbability": 100,
        "rearHairProbability": 100 if woman else 0,
        "beardProbability": 0 if attributes["beard"] == "none" else 100,
    }
    if woman:
        options |= {"rearHairVariant": [WOMENS_HAIR[attributes["hair_style"]]], "hairVariant": ["sideComed"]}
    else:
        options["hairVariant"] = [MENS_HAIR[attributes["hair_style"]]]
    if attributes["beard"] != "none":
        options["beardVariant"] = [BEARDS[attributes["beard"]]]
    return options


def _landscape(attributes: Attributes, rng: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {
        "seed": str(rng.random()),
        "backgroundColor": [COLOURS[attributes["sky"]]],
        "orbColor": [COLOURS[attributes["sun_colour"]]],
        "orbVariant": [attributes["sun"]],
        "orbProbability": 100,
        "animationVariant": ["none"],
    }
    # Farther hills are paler: alike in colour, they still stand apart.
    for i, shade in enumerate((1.1, 1.0, 0.92, 0.84), 1):
        options[f"hill{i}Color"] = [_shaded(COLOURS[attributes[f"hill{i}"]], shade)]
    return options


def _creature(attributes: Attributes, rng: random.Random) -> dict[str, Any]:
    return {
        "seed": str(rng.random()),
        "backgroundColor": [COLOURS[attributes["background"]]],
        "bodyColor": [COLOURS[attributes["colour"]]],
        "accentColor": [_tint(COLOURS[attributes["colour"]])],
        "topVariant": [attributes["horns"]],
        "topProbability": 100,
        "patternProbability": 0,
        "eyesVariant": [EYES[attributes["eyes"]]],
        "bodyVariant": [attributes["shape"]],
        "mouthVariant": [MOUTHS[attributes["mouth"]]],
        "animationVariant": ["none"],
    }


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(max(0.0, min(1.0, part)) * 255):02x}" for part in rgb)


def _shaded(colour: str, factor: float) -> str:
    hue, light, saturation = colorsys.rgb_to_hls(*_rgb(colour))
    return _hex(colorsys.hls_to_rgb(hue, min(0.96, light * factor), saturation))


def _tint(colour: str) -> str:
    """Half way to white; of a pale colour, towards black."""
    rgb = _rgb(colour)
    goal, amount = (1.0, 0.5) if sum(rgb) < 2.4 else (0.0, 0.35)
    red, green, blue = (part + (goal - part) * amount for part in rgb)
    return _hex((red, green, blue))


def styles(folder: Path) -> Path:
    """The folder of style definitions, fetched with npm the first time: npm checks the package's own hash."""
    if not all((folder / f"{name}.json").exists() for name in STYLES):
        npm = shutil.which("npm")
        if npm is None:
            message = "npm is needed to fetch @dicebear/styles: install Node.js (on Debian: apt install npm)"
            raise SystemExit(message)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run(
                [npm, "pack", "--silent", f"@dicebear/styles@{STYLES_VERSION}"], cwd=scratch, check=True, text=True
            )
            with tarfile.open(next(Path(scratch).glob("*.tgz"))) as packed:
                for name in STYLES:
                    member = packed.extractfile(f"package/src/{name}.json")
                    assert member is not None
                    (folder / f"{name}.json").write_bytes(member.read())
    return folder
