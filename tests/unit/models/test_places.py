import contextlib
import json
import sqlite3

import pytest

from tendred.models.places import Spot, expanded, given, well_known

YAML = """
comfyui:
    base_path: {base}
    is_default: true
    checkpoints: models/checkpoints/
    loras: |
        models/loras/
        more/loras
a111:
    base_path: $ELSEWHERE
    vae: VAE
"""


def paths(spots):
    return [str(spot.path) for spot in spots]


@pytest.fixture
def comfy(tmp_path):
    root = tmp_path / "ComfyUI"
    (root / "models" / "checkpoints").mkdir(parents=True)
    return root


def test_the_usual_places_are_named_whether_or_not_they_are_there(tmp_path):
    spots = {(spot.tool, str(spot.path.relative_to(tmp_path))) for spot in well_known(tmp_path, {})}
    assert {
        ("comfyui", "ComfyUI"), ("a1111", "stable-diffusion-webui"), ("invokeai", "invokeai"),
        ("hub", ".cache/huggingface/hub"),
    } <= spots  # fmt: skip


def test_the_environment_moves_them(tmp_path):
    env = {"HF_HOME": "/hf", "HF_HUB_CACHE": "/hub", "INVOKEAI_ROOT": "/invoke", "XDG_CACHE_HOME": "/cache"}
    found = paths(well_known(tmp_path, env))
    assert {"/hf/hub", "/hub", "/invoke", "/cache/huggingface/hub"} <= set(found)
    assert len(found) == len(set(found))


def test_the_settings_of_comfyui_name_more(comfy, tmp_path, monkeypatch):
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    (comfy / "extra_model_paths.yaml").write_text(YAML.format(base=tmp_path / "shared"))
    assert given(comfy).tool == "comfyui"
    assert paths(expanded(given(comfy))) == [
        str(comfy / "models"),
        *(str(tmp_path / "shared" / name) for name in ("models/checkpoints", "models/loras", "more/loras")),
        str(tmp_path / "elsewhere" / "VAE"),
    ]


@pytest.mark.parametrize(
    "text", ["[1, 2]", "a: [", "a:\n  b: {c: d}\n", "\x00", "a: &a [*a]", "!!python/object:os.x {}"]
)
def test_odd_settings_name_nothing(comfy, text):
    (comfy / "extra_model_paths.yaml").write_text(text)
    assert paths(expanded(given(comfy))) == [str(comfy / "models")]


def test_settings_with_aliases_name_nothing(comfy):
    """These few lines would be 10**9 words."""
    levels = "\n".join(f"  a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 10))
    text = f"x:\n  a0: &a0 [lol]\n{levels}\n  base_path: *a9\n  loras: loras\n"
    (comfy / "extra_model_paths.yaml").write_text(text)
    assert paths(expanded(given(comfy))) == [str(comfy / "models")]


def test_what_is_no_path_is_dropped_where_it_is_read(comfy):
    text = 'a:\n  base_path: [x]\n  vae: a\nb:\n  vae: "a\\0b"\n  loras: |\n    good\n  y: "\\ud800"\n'
    (comfy / "extra_model_paths.yaml").write_text(text)
    assert paths(expanded(given(comfy))) == [str(comfy / "models"), str(comfy / "good")]


def test_a1111_keeps_embeddings_beside_its_models(tmp_path):
    for name in ("models/Stable-diffusion", "models/Lora", "embeddings"):
        (tmp_path / name).mkdir(parents=True)
    assert given(tmp_path).tool == "a1111"
    assert paths(expanded(given(tmp_path))) == [str(tmp_path / "models"), str(tmp_path / "embeddings")]


def test_invokeai_names_its_models_and_those_installed_in_place(tmp_path):
    (tmp_path / "databases").mkdir()
    (tmp_path / "models").mkdir()
    connection = sqlite3.connect(tmp_path / "databases" / "invokeai.db")
    connection.execute("CREATE TABLE models (id TEXT, config TEXT)")
    rows = [{"path": "abc/x.safetensors", "name": "Dreamy"}, {"path": "/far/y.safetensors", "name": "Far"}, {"path": 3}]
    connection.executemany("INSERT INTO models VALUES ('', ?)", [(json.dumps(row),) for row in rows])
    connection.commit()
    connection.close()
    before = sorted(path.name for path in (tmp_path / "databases").iterdir())
    own, far = expanded(given(tmp_path))
    assert (str(own.path), str(far.path)) == (str(tmp_path / "models"), "/far/y.safetensors")
    assert own.names == {str(tmp_path / "models" / "abc" / "x.safetensors"): "Dreamy", "/far/y.safetensors": "Far"}
    assert sorted(path.name for path in (tmp_path / "databases").iterdir()) == before


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


@pytest.mark.parametrize(
    "made",
    [
        f"CREATE VIEW models AS {ENDLESS} SELECT zeroblob(x) AS config FROM n WHERE x < 0",
        """CREATE VIEW models AS SELECT '{"path": "/far", "name": "x"}' AS config""",
        """CREATE TABLE models (a, config AS ('{"path": "/far", "name": "x"}')); INSERT INTO models VALUES (1)""",
        "CREATE TABLE models (config); INSERT INTO models VALUES (zeroblob(2000000))",
        """CREATE TABLE models (config); INSERT INTO models VALUES ('{"path": "/a\\u0000b", "name": "x"}')""",
    ],
)
def test_a_database_that_is_a_trap_names_nothing(tmp_path, made):
    (tmp_path / "databases").mkdir()
    (tmp_path / "models").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "databases" / "invokeai.db")) as connection, connection:
        connection.executescript(made)
    assert paths(expanded(given(tmp_path))) == [str(tmp_path / "models")]


def test_a_database_that_is_none_names_nothing(tmp_path):
    (tmp_path / "databases").mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "databases" / "invokeai.db").write_bytes(b"no database" * 500)
    assert paths(expanded(given(tmp_path))) == [str(tmp_path / "models")]


def test_a_hub_cache_and_any_other_folder(tmp_path):
    assert given(tmp_path) == Spot(tmp_path, "folder")
    (tmp_path / "models--a--b").mkdir()
    assert given(tmp_path).tool == given(tmp_path / "models--a--b").tool == "hub"
    assert given(tmp_path / "nowhere").tool == "folder"
