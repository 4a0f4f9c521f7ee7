import pytest

from tendred.config.toml import FILE_BYTES, leaves, read, value_of
from tendred.errors import ConfigBroken

TEXT = """\
# a comment
[rpc]
port = 1  # said here
connections = [
  1,
  2,
]

[plugins.settings."a.b"]
text = '''
[not a header]
'''
[empty]
"""


def test_every_key_has_its_line(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(TEXT)
    found = {entry.path: (entry.value, int(entry.where.rpartition(":")[2])) for entry in read(file)}
    assert found[("rpc", "port")] == (1, 3)
    assert found[("rpc", "connections")] == ([1, 2], 4)
    assert found[("plugins", "settings", "a.b", "text")] == ("[not a header]\n", 10)
    assert found[("empty",)] == ({}, 13)


def test_no_file_is_no_mistake(tmp_path):
    assert read(tmp_path / "absent.toml") is None


@pytest.mark.parametrize(
    ("data", "where", "word"),
    [
        (b"a = 1\nb = = 2\n", ":2", "nvalid"),
        (b"a = 1\n\nb = [1,\n", ":3", ""),
        (b"a = 1\nb = '\xff'\n", ":2", "UTF-8"),
        (b"#" * (FILE_BYTES + 1), "", str(FILE_BYTES)),
        (b"a = " + b"[" * 50_000, "", "deep"),
    ],
)
def test_what_is_broken_is_told_with_its_place(tmp_path, data, where, word):
    file = tmp_path / "config.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigBroken) as caught:
        read(file)
    assert caught.value.detail["where"] == f"{file}{where}"
    assert word in caught.value.detail["problem"]


def test_a_folder_in_its_place_is_told(tmp_path):
    with pytest.raises(ConfigBroken):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.5", 1.5), ("true", True), ('"x"', "x"), ("bare", "bare"), ("[1, 2]", [1, 2]), ("", ""),
     ("1\nother = 2", "1\nother = 2"), ("a = b", "a = b")],
)  # fmt: skip
def test_values_are_toml_or_bare_words(text, value):
    assert value_of(text) == value


def test_leaves_keep_empty_tables():
    assert list(leaves({"a": {"b": 1, "c": {}}, "d": []})) == [(("a", "b"), 1), (("a", "c"), {}), (("d",), [])]
