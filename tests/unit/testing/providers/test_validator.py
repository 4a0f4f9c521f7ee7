import msgspec
import pytest

from tendred.testing.providers.__main__ import PROVIDERS
from tendred.testing.providers.validator import Asked, Schema, problems

GOOD = {
    "prompt": "rain", "model": "ltx-2-3-fast", "duration": 6, "resolution": "1280x720", "fps": 24, "generate_audio": True,
}  # fmt: skip
JSON = {"content-type": "application/json"}


def said(fields, path="/v2/text-to-video", provider="ltx", headers=JSON, **more):
    asked = Asked("api", "POST", path, {}, dict(headers), msgspec.json.encode(fields), fields, **more)
    shape = Schema(provider).find(asked)
    assert shape is not None
    return problems(shape, asked)


def test_a_good_request_has_no_problems():
    assert said(GOOD) == []
    assert said({**GOOD, "image_uri": "ltx://uploads/a"}, "/v2/image-to-video") == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 7}, "seed is unknown"), ({"prompt": None}, "prompt is wrong"), ({"duration": 7}, "duration is wrong"),
        ({"duration": 6.0}, "duration is wrong"), ({"duration": True}, "duration is wrong"), ({"fps": "24"}, "fps is wrong"),
        ({"generate_audio": 1}, "generate_audio is wrong"), ({"model": "ltx-2-fast"}, "model is wrong"),
        ({"duration": 20, "fps": 50}, "together"), ({"model": "ltx-2-5-pro", "fps": 48}, "together"),
        ({"image_uri": "ltx://uploads/a"}, "image_uri is unknown"),
    ],
)  # fmt: skip
def test_each_departure_is_named(changes, named):
    [problem] = said({**GOOD, **changes})
    assert named in problem


def test_a_field_that_must_be_there_is_missed():
    assert said({name: value for name, value in GOOD.items() if name != "model"}) == ["field model is missing"]
    assert said(GOOD, "/v2/image-to-video") == ["field image_uri is missing"]


def test_headers_queries_and_bodies_count_too():
    assert said(GOOD, headers={**JSON, "idempotency-key": "k"}) == ["header idempotency-key is unknown"]
    asked = Asked("api", "GET", "/v2/text-to-video/job_1", {"logs": "1"}, {}, b"x")
    assert problems(Schema("ltx").find(asked), asked) == ["query logs", "a body that nobody asked for"]
    put = Asked("storage", "PUT", "/uploads/u", {}, {"content-type": "image/png", "authorization": "Bearer k"}, b"x")
    told = problems(Schema("ltx").find(put), put)
    assert told == ["header x-goog-content-length-range is missing", "authorization at a foreign host"]


def test_what_no_document_has_is_not_found():
    for method, path in (("POST", "/v2/retake"), ("DELETE", "/v2/text-to-video/a"), ("POST", "/v2/text-to-video/")):
        assert Schema("ltx").find(Asked("api", method, path, {}, {}, b"")) is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_request_says_where_it_comes_from(provider):
    for shape in Schema(provider).shapes:
        assert shape.line > 0
        assert all(one.line > 0 for one in [*shape.fields, *shape.together])
