import pytest

from tendred.errors import Internal, InvalidParams, ModelMissing, NotFound, NotOffered, OutOfMemory, describe, registry


def test_a_variant_has_its_own_words_and_the_kind_stays():
    error = InvalidParams("multiple", path="width", value=100, model="starter", step=8, near=[96, 104])
    assert (error.kind, error.code) == ("invalid_params", -32602)
    assert describe(error) == (
        "width is 100, but starter needs a multiple of 8.",
        "Use one of: 96, 104",
    )


def test_an_unknown_variant_falls_back_to_the_kind():
    assert describe(Internal("no such variant")) == describe(Internal())


def test_a_variant_may_take_the_next_step_of_its_kind():
    message, step = describe(OutOfMemory("model", model="big", free_bytes=7))
    assert message == "There was not enough memory for the model big (7 bytes were free)."
    assert step


def test_french_and_what_is_neither():
    error = ModelMissing(name="sdxl", near=["starter"])
    english, french = describe(error, "en"), describe(error, "fr")
    assert english != french
    assert "sdxl" in french[0]
    assert describe(error, "de") == english


def test_what_nobody_filled_is_left_blank_while_an_error_is_told():
    message, step = describe(ModelMissing())
    assert "{" not in message + step


@pytest.mark.parametrize(
    ("error", "english", "french"),
    [
        (NotFound(noun="job", name="x", near=[]), "Look at the list first.", "Regardez d'abord la liste."),
        (InvalidParams("unknown_field", path="x", near=[]), "Leave it out.", "Retirez-le."),
        (NotOffered(provider="p"), "Choose what it offers.", "Choisissez parmi."),
        (
            ModelMissing("gone", name="m", folder="f"),
            "Bring the folder back or remove the model (tendre models remove m).",
            "Remettez le dossier ou retirez le modèle (tendre models remove m).",
        ),
    ],
)
def test_a_list_of_nothing_is_left_out(error, english, french):
    assert (describe(error, "en")[1], describe(error, "fr")[1]) == (english, french)


def test_words_of_others_are_never_a_template():
    message, _ = describe(InvalidParams(path="{near}", problem="{path} {0} {"))
    assert message == "{near} doesn't fit: {path} {0} {."


@pytest.mark.parametrize("kind", sorted(registry()))
def test_a_kind_is_a_name_of_one_class(kind):
    cls = registry()[kind]
    assert cls.kind == kind
    assert kind == kind.lower()
    assert str(cls()).startswith(f"{kind}: ")
