import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tendred.errors import InvalidParams, TendredError
from tendred.hotfolder import plain_csv
from tendred.hotfolder.parse import ROWS, parse
from tendred.schema.clip import ClipRequest
from tendred.schema.source import Control, Mask, Rect, Source
from tendred.schema.still import LoraUse, StillRequest

FIELDS = {"prompt": "a red fox", "steps": 8, "guidance": 4.5, "seed": 7, "tags": ["a", "b"]}


def refused(name, text):
    with pytest.raises(TendredError) as caught:
        parse(name, text if isinstance(text, bytes) else text.encode())
    return caught.value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.json", json.dumps(FIELDS)),
        ("x.JSON", "\ufeff" + json.dumps(FIELDS, indent=2).replace("\n", "\r\n")),
        ("x.yaml", "prompt: a red fox\nsteps: 8\nguidance: 4.5\nseed: 7\ntags: [a, b]\n"),
        ("x.yml", "# a comment\n---\nprompt: 'a red fox'\nsteps: 0x8\nguidance: 45e-1\nseed: 0o7\ntags:\n- a\n- 'b'\n...\n"),
        ("x.toml", 'prompt = "a red fox"\nsteps = 8\nguidance = 4.5\nseed = 7\ntags = ["a", "b"]\n'),
        ("x.md", "---\nsteps: 8\nguidance: 4.5\nseed: 7\ntags: [a, b]\n---\n\na red fox\n"),
        ("x.csv", "prompt,steps,guidance,seed,tags,width\r\na red fox,8,4.5,7,a|b,\r\n"),
    ],
)  # fmt: skip
def test_every_format_says_the_same(name, text):
    ((request, asked),) = parse(name, text.encode())
    assert request == StillRequest(**FIELDS)
    assert asked == FIELDS


def test_a_text_file_is_the_prompt():
    ((request, asked),) = parse("x.txt", "\ufeff\n  a fox,\r\n  steps: 3 \n\n".encode())
    assert request.prompt == "a fox,\r\n  steps: 3"
    assert asked == {"prompt": request.prompt}


def test_markdown_without_front_matter_is_the_prompt():
    ((request, _),) = parse("x.md", b"# A fox\n---\nin the snow\n")
    assert request.prompt == "# A fox\n---\nin the snow"


def test_lists_keep_their_order_and_count_their_rows():
    rows = [{"prompt": f"fox {number}", "kind": "still"} for number in range(ROWS)]
    parsed = parse("x.json", json.dumps(rows).encode())
    assert [request.prompt for request, _ in parsed] == [row["prompt"] for row in rows]
    assert parsed[3][1] == rows[3]
    assert refused("x.json", json.dumps([*rows, rows[0]])).variant == "rows"
    assert refused("x.csv", "prompt\n" + "fox\n" * (ROWS + 1)).variant == "rows"


def test_csv_cells():
    text = 'prompt,loras,tags,steps\n"a ""red"" fox,\nin two lines",ink:0.5|a:b:2|plain,x,\n\nsecond,,,3\n'
    (first, second) = parse("x.csv", text.encode())
    assert first[0].prompt == 'a "red" fox,\nin two lines'
    assert first[0].loras == [
        LoraUse(name="ink", weight=0.5), LoraUse(name="a:b", weight=2.0), LoraUse(name="plain"),
    ]  # fmt: skip
    assert second[1] == {"prompt": "second", "steps": 3}


def test_csv_knows_the_type_of_every_field():
    names = {field.name for field in msgspec.structs.fields(StillRequest)}
    texts = {"prompt", "negative_prompt", "model", "scheduler", "character", "format", "lane", "vae", "preset"}
    assert names == plain_csv.WHOLE | plain_csv.NUMBERS | texts | {
        "loras", "tags", "image", "mask", "control", "reproducible",
    }  # fmt: skip
    for cell, value in (("false", False), ("TRUE", True)):
        ((request, asked),) = parse("x.csv", f"prompt,reproducible\nfox,{cell}\n".encode())
        assert (request.reproducible, asked["reproducible"]) == (value, value)
    with pytest.raises(InvalidParams) as caught:
        parse("x.csv", b"prompt,reproducible\nfox,no\n")
    assert "true or false" in caught.value.detail["problem"]


def test_csv_names_sources_in_a_cell():
    text = (
        "prompt,image,mask,control,clip_skip,vae\nfox,ast_1:0.4,0 0 8 8|8 8 4 4,ast_2:lines:0.5|ast_3:depth,2,crisp\n"
    )
    ((request, _),) = parse("x.csv", text.encode())
    assert request.image == Source(asset_id="ast_1", strength=0.4)
    assert request.mask.rects == [Rect(x=0, y=0, width=8, height=8), Rect(x=8, y=8, width=4, height=4)]
    assert request.control == [
        Control(asset_id="ast_2", model="lines", scale=0.5), Control(asset_id="ast_3", model="depth"),
    ]  # fmt: skip
    assert (request.clip_skip, request.vae) == (2, "crisp")
    ((request, _),) = parse("x.csv", b"prompt,image\nfox,ast_1\n")
    assert request.image == Source(asset_id="ast_1")


@pytest.mark.parametrize(
    "cell", ["mask\nfox,0 0 8", "control\nfox,ast_2", "image\nfox,ast_1:half", "mask\nfox,a b c d"]
)
def test_csv_tells_a_source_that_is_none(cell):
    assert refused("x.csv", f"prompt,{cell}\n").detail["line"] == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "x.json",
            '{"prompt": "fox", "image": {"asset_id": "ast_1"}, "mask": {"rects": [{"x": 0, "y": 0, "width": 8, "height": 8}]}}',
        ),
        ("x.yaml", "prompt: fox\nimage: {asset_id: ast_1}\nmask:\n  rects:\n    - {x: 0, y: 0, width: 8, height: 8}\n"),
        (
            "x.toml",
            'prompt = "fox"\nimage = {asset_id = "ast_1"}\n[[mask.rects]]\nx = 0\ny = 0\nwidth = 8\nheight = 8\n',
        ),
        ("x.md", "---\nimage: {asset_id: ast_1}\nmask: {rects: [{x: 0, y: 0, width: 8, height: 8}]}\n---\nfox"),
    ],
)
def test_sources_in_every_format(name, text):
    ((request, _),) = parse(name, text.encode())
    assert request.image == Source(asset_id="ast_1")
    assert request.mask == Mask(rects=[Rect(x=0, y=0, width=8, height=8)])


@pytest.mark.parametrize("text", ["prompt: on", "prompt: 1_000", "prompt: 2024-01-01", "prompt: 012x", "prompt: Yes"])
def test_yaml_scalars_of_other_versions_are_text(text):
    ((request, _),) = parse("x.yaml", text.encode())
    assert request.prompt == text.removeprefix("prompt: ")


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("x.json", '{"prompt": "a",\n"steps" 3}', 2),
        ("x.json", '{"prompt": "a",\n\n"prompt": "b"}', 3),
        ("x.json", '[{"steps": 1},\n{"steps": 1,\n"st\\u0065ps": 2}]', 3),
        ("x.json", '{"prompt": "NaN",\n"guidance": NaN}', 2),
        ("x.json", '{"prompt": "a",\n"guidance": -Infinity}', 2),
        ("x.json", '{"a":\n' + "[" * 20 + "]" * 20 + "}", 2),
        ("x.json", "[" * 200_000, 1),
        ("x.yaml", "prompt: a\nsteps: 'b\n", 3),
        ("x.yaml", "prompt: a\nprompt: b\n", 2),
        ("x.yaml", "prompt: &a b\n", 1),
        ("x.yaml", "prompt: b\ntags: *a\n", 2),
        ("x.yaml", "prompt: b\nsteps: !!int '3'\n", 2),
        ("x.yaml", "prompt: b\nsteps: !mine 3\n", 2),
        ("x.yaml", "prompt: b\nguidance: .nan\n", 2),
        ("x.yaml", "prompt: b\n---\nprompt: c\n", 2),
        ("x.yaml", "prompt: b\n? [a, b]\n: 3\n", 2),
        ("x.yaml", "prompt: b\n\tsteps: 3\n", 2),
        ("x.yaml", "prompt: b\ntags: " + "[" * 30 + "]" * 30, 2),
        ("x.yaml", "prompt: b\x07\n", 1),
        ("x.md", "---\nsteps: 3\n\nfox\n", 1),
        ("x.md", "---\nsteps: 3\nsteps: 4\n---\nfox\n", 3),
        ("x.md", "---\n- a\n---\nfox\n", 2),
        ("x.toml", 'prompt = "a"\nsteps = \n', 2),
        ("x.toml", 'prompt = "a"\nprompt = "b"\n', 2),
        ("x.toml", 'prompt = """a\n', 2),
        ("x.csv", 'prompt,steps\na,1\n"b"c,2\n', 3),
        ("x.csv", "prompt,steps\na,1\nb\n", 3),
        ("x.csv", "prompt,prompt\na,1\n", 1),
        ("x.csv", "prompt,\na,1\n", 1),
        ("x.csv", "promt\na\n", 1),
        ("x.toml", 'prompt = "a"\n' + "a." * 9 + "a = 1\n", 2),
        ("x.toml", 'prompt = "a"\n' + "'a' . " * 9 + "a = 1\n", 2),
        ("x.toml", 'prompt = "a"\nb = ' + "[" * 17, 2),
        ("x.csv", 'prompt,steps\n"a\nb",1\nc,1.5\n', 4),
        ("x.csv", "prompt,guidance\na,nan\n", 2),
        ("x.csv", "prompt,seed\na,\u0663\n", 2),
        ("x.csv", "prompt,loras\na,ink:\n", 2),
        ("x.csv", "prompt,steps\na,900\n", 2),
        ("x.csv", f"prompt\n{'a' * 200_000}\n", 2),
    ],
)
def test_what_is_broken_is_told_with_its_line(name, text, line):
    error = refused(name, text)
    assert (error.variant, error.detail["line"], error.detail["file"]) == ("file_line", line, name), error
    assert error.detail["problem"]


@pytest.mark.parametrize(
    ("name", "text", "path"),
    [
        ("x.json", '{"prompt": "a", "stepps": 3}', "stepps"),
        ("x.json", '[{"prompt": "a"}, {"prompt": "a", "loras": [{"name": "b", "wait": 1}]}]', "[1].loras[0].wait"),
        ("x.json", '[{"prompt": "a"}, {"prompt": "a", "steps": 900}]', "[1].steps"),
        ("x.json", '{"steps": 9}', "prompt"),
        ("x.json", '{"prompt": 3}', "prompt"),
        ("x.json", '{"prompt": ""}', "prompt"),
        ("x.json", '[{"prompt": "a"}, 3]', "[1]"),
        ("x.json", '{"prompt": "a", "seed": 1e999}', "seed"),
        ("x.json", '{"prompt": "\\ud800"}', "prompt"),
        ("x.json", '{"prompt": "a", "idempotency_key": "k"}', "idempotency_key"),
        ("x.json", '{"prompt": "a", "kind": ["clip"]}', "kind"),
        ("x.toml", 'prompt = "a"\nseed = 1979-05-27\n', "seed"),
        ("x.toml", 'prompt = "a"\nguidance = inf\n', "guidance"),
        ("x.toml", 'prompt = "a"\n' + ".".join("a" * 5000) + " = 1\n", None),
        ("x.md", "---\nprompt: b\n---\nfox\n", "prompt"),
        ("x.md", "---\nsteps: 3\n---\n\n", "prompt"),
        ("x.csv", "prompt,steps\na,1\n,2\n", "[1].prompt"),
        ("x.csv", "prompt,steps\na,1\nb,900\n", "[1].steps"),
        ("x.csv", "steps\n1\n", "[0].prompt"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(name, text, path):
    error = refused(name, text)
    assert isinstance(error, InvalidParams)
    assert path is None or error.path == path


def test_an_unknown_field_offers_the_nearest():
    error = refused("x.json", '{"prompt": "a", "stepps": 3}')
    assert (error.variant, error.detail["near"]) == ("unknown_field", ["steps"])


@pytest.mark.parametrize(("name", "text"), [("x.json", "[]"), ("x.yaml", "# nothing\n"), ("x.csv", "prompt\n")])
def test_nothing_is_no_prompt(name, text):
    assert refused(name, text).variant == "file"


@pytest.mark.parametrize(
    ("data", "offset"),
    [(b"\xff\xfea\x00", 0), (b"caf\xe9", 3), (b"\xef\xbb\xbfa\xff", 4), (b"ab\x00c", 2), (b"\x7fELF\x02\x00", 5)],
)
def test_what_is_no_text_is_told_by_its_byte(data, offset):
    error = refused("x.txt", data)
    assert (error.variant, error.detail["offset"]) == ("not_text", offset)


@pytest.mark.parametrize("name", ["x.png", "README", "x.txt.exe"])
def test_other_endings_are_no_prompt_files(name):
    assert refused(name, b"a").variant == "format"


CLIP = {"kind": "clip", "prompt": "a", "provider": "p", "model": "m", "width": 1280, "height": 720, "seconds": 6}


def test_a_clip_has_the_fields_of_a_clip():
    [(request, asked)] = parse("x.json", json.dumps({**CLIP, "first": "ast_1"}).encode())
    assert request == ClipRequest(
        prompt="a", provider="p", model="m", width=1280, height=720, seconds=6, first="ast_1"
    )  # fmt: skip
    assert asked["kind"] == "clip"
    assert refused("x.json", json.dumps({**CLIP, "steps": 3})).path == "steps"
    assert refused("x.toml", 'prompt = "a"\nkind = "clip"\n').kind == "invalid_params"
    assert refused("x.json", json.dumps({**CLIP, "prompt": " "})).variant == "empty_prompt"


@pytest.mark.parametrize("field", ["idempotency_key", "shot_id", "refine_of", "accept_stale"])
def test_what_takes_a_person_is_in_no_prompt_file(field):
    assert refused("x.json", json.dumps({**CLIP, field: True})).path == field


def test_a_clip_is_alone_in_its_file():
    error = refused("x.json", json.dumps([{"prompt": "a"}, CLIP]))
    assert (error.variant, error.path) == ("clip_alone", "[1].kind")
    assert refused("x.csv", "prompt,kind\na,clip\n").variant == "clip_alone"


@pytest.mark.parametrize("text", ['"' * 1_000_001, '"\\' * 300_000, "{" + '"a":' * 200_000, '[{"a":"' * 100_000])
def test_hostile_json_is_refused_within_the_limit_of_a_test(text):
    """Quadratic work on a million characters would take many minutes."""
    assert refused("x.json", text).kind == "invalid_params"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([".txt", ".md", ".json", ".yaml", ".toml", ".csv"]), st.binary(max_size=60) | st.text(
    alphabet="{}[]:,\"'-&*!|>%@`#?~.\n\r\t aeprompt0159\ud7ff\u2028", max_size=60).map(str.encode))  # fmt: skip
def test_any_bytes_are_parsed_or_refused(ending, data):
    try:
        parsed = parse(f"x{ending}", data)
    except TendredError as error:
        assert str(error)
    else:
        assert all(request.prompt.strip() for request, _ in parsed)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.toml", 'prompt = "a"\n' + ".".join("a" * 400_000) + " = 1\n"),
        ("x.toml", 'prompt = "a"\n' + ("[" + ".".join("abcdefgh") + "]\n") * 60_000),
        ("x.toml", 'prompt = """' + '\\"' * 400_000 + "\\"),
        ("x.json", "{" + ",".join(f'"{n}":1' for n in range(80_000)) + "}"),
        ("x.csv", ",".join(map(str, range(100_000))) + "\n"),
    ],
    ids=["dots", "tables", "text", "json", "columns"],
)
def test_a_small_file_takes_little(name, text):
    tracemalloc.start()
    try:
        error = refused(name, text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.variant in {"file", "file_line"}
    assert peak < 40_000_000


def test_yaml_stops_early():
    error = refused("x.yaml", "".join(f"{n}: 1\n" for n in range(80_000)))
    assert "too many" in str(error.detail["problem"])


def test_a_long_name_is_not_copied_for_every_value_below_it():
    text = json.dumps({"prompt": "a", "n" * 500_000: [1] * 90_000})
    assert refused("x.json", text).kind == "invalid_params"


def test_rows_are_counted_while_they_are_read():
    """What is wrong behind the last row that counts is never reached."""
    assert refused("x.csv", "prompt,steps\n" + "fox,1\n" * (ROWS + 1) + "fox\n").variant == "rows"


def test_dots_in_texts_are_no_keys():
    text = 'prompt = """a.b.c.d.e.f.g.h.i.j.k ... \\" ......... x"""  # a.b.c.d.e.f.g.h.i.j.k\nguidance = 4.5\n'
    ((request, _),) = parse("x.toml", text.encode())
    assert request.prompt.startswith("a.b.c.d")


@pytest.mark.parametrize("sign", [";", "\t"])
def test_csv_of_spreadsheets_that_divide_cells_otherwise(sign):
    text = f'prompt{sign}steps\r\n"a fox, red{sign}"{sign}3\r\na cat, grey{sign}4\r\n'
    rows = [fields for _, fields in parse("x.csv", text.encode())]
    assert rows == [{"prompt": f"a fox, red{sign}", "steps": 3}, {"prompt": "a cat, grey", "steps": 4}]


def test_a_mistyped_column_is_named():
    error = refused("x.csv", "promt,steps\na,1\n")
    assert "line 1: column promt" in str(error)
    assert "should be prompt" in str(error)
