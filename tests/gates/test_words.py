"""The words of every error: there in both languages, with the same blanks, and the blanks are filled where it is raised."""

from __future__ import annotations

import ast
import string

import pytest

from tendred import errors
from tendred.app.cli.words import WORDS
from tendred.errors import LANGUAGES, catalogue, describe, registry

ALWAYS = {"ref", "near"}
"""Put in by whoever tells an error (`schema.error.tell`), and left out of the words where there is nothing near."""


def blanks(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def entries():
    """Every kind, and every variant of one, with its words by language (a variant inherits what it leaves out)."""
    for kind in registry():
        tables = {lang: catalogue(lang)[kind] for lang in LANGUAGES}
        yield kind, "", tables
        for variant in sorted(
            {name for table in tables.values() for name, words in table.items() if isinstance(words, dict)}
        ):
            yield kind, variant, {lang: {**table, **table.get(variant, {})} for lang, table in tables.items()}


ENTRIES = list(entries())
BLANKS = {
    (kind, variant): blanks(f"{tables['en']['message']} {tables['en']['next']}") for kind, variant, tables in ENTRIES
}


@pytest.mark.parametrize(
    ("kind", "variant", "tables"), ENTRIES, ids=[f"{kind}.{variant}" for kind, variant, _ in ENTRIES]
)
def test_message_and_next_step_are_there_in_both_languages(kind, variant, tables):
    del variant
    for part in ("message", "next"):
        words = [str(tables[lang][part]).strip() for lang in LANGUAGES]
        assert all(words), kind
        assert blanks(words[0]) == blanks(words[1]), f"{kind}.{part}"
        assert words[0] != words[1], f"{kind}.{part} is not translated"
    for lang in LANGUAGES:
        assert str(tables[lang]["message"]).rstrip().endswith((".", "…")), f"{kind} in {lang}"


def test_both_languages_have_the_same_kinds_and_variants():
    shapes = [
        {
            kind: {name for name, words in table.items() if isinstance(words, dict)}
            for kind, table in catalogue(lang).items()
        }
        for lang in LANGUAGES
    ]
    assert shapes[0] == shapes[1]
    assert set(shapes[0]) == set(registry())


@pytest.mark.parametrize("kind", sorted(registry()))
def test_words_are_found_by_what_is_raised(kind):
    for lang in LANGUAGES:
        message, step = describe(registry()[kind](), lang)
        assert message
        assert step


def raised(package):
    """Every construction of one of our errors in the sources: place, kind, variants, names that are filled in."""
    classes = {cls.__name__: cls.kind for cls in registry().values()}
    for source in package:
        if source.name.startswith("tendred/testing/") or source.name == "tendred/errors.py":
            continue
        ours = {
            alias.asname or alias.name: classes[alias.name]
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ImportFrom) and node.module == "tendred.errors"
            for alias in node.names
            if alias.name in classes
        }
        for call in source.calls():
            if isinstance(call.func, ast.Name) and call.func.id in ours:
                given = {keyword.arg for keyword in call.keywords}
                yield f"{source.name}:{call.lineno}", ours[call.func.id], variants(call), given


def variants(call):
    """What the first argument may be; nothing where only running tells."""
    if not call.args:
        return {""}
    arms = [call.args[0].body, call.args[0].orelse] if isinstance(call.args[0], ast.IfExp) else [call.args[0]]
    return {arm.value for arm in arms if isinstance(arm, ast.Constant)}


def test_every_variant_that_is_raised_has_words(package):
    known = {(kind, variant) for kind, variant, _ in ENTRIES}
    missing = [
        f"{place} {kind}.{variant}"
        for place, kind, used, _ in raised(package)
        for variant in used
        if (kind, variant) not in known
    ]
    assert missing == []


def test_every_variant_that_has_words_is_raised(package):
    used = {(kind, variant) for _, kind, names, _ in raised(package) for variant in names}
    assert sorted((kind, variant) for kind, variant, _ in ENTRIES if variant and (kind, variant) not in used) == []


def test_every_blank_is_filled_where_it_is_raised(package):
    empty = []
    for place, kind, used, given in raised(package):
        if None in given:
            continue  # `**detail`: only running tells
        for variant in used:
            left = BLANKS.get((kind, variant), set()) - given - ALWAYS
            if left:
                empty.append(f"{place} {kind}.{variant}: {', '.join(sorted(left))}")
    assert empty == []


def test_nobody_raises_the_nameless_one(package):
    found = [
        f"{source.name}:{node.lineno}"
        for source in package
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and ast.unparse(node.exc).partition("(")[0] == "TendredError"
    ]
    assert found == []


def test_what_the_command_line_says_is_there_in_both_languages():
    for key, (english, french) in WORDS.items():
        assert english.strip(), key
        assert french.strip(), key
        assert blanks(english) == blanks(french), key


def test_the_registry_is_every_class():
    declared = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.TendredError)
    }
    assert {cls.__name__ for cls in registry().values()} == declared - {"TendredError"}
