import subprocess
import sys

import pytest

from tendred.app.cli.parser import complete

NO_DAEMON_NEEDED = {"up", "down", "config", "doctor", "logs"}


def test_without_a_daemon_it_says_how_to_start_one(tendre):
    ran = tendre("status")
    assert (ran.code, ran.out) == (3, "")
    assert "No daemon is running" in ran.err
    assert "tendre up" in ran.err


def test_under_json_the_error_is_a_document_too(tendre):
    ran = tendre("status", "--json")
    assert ran.code == 3
    assert ran.document["error"]["kind"] == "no_daemon"
    assert "tendre up" in ran.document["error"]["next"]
    assert "tendre up" in ran.err


def test_it_speaks_french_when_asked(tendre):
    assert "Aucun démon" in tendre("status", "--lang", "fr").err


def test_it_speaks_french_when_the_locale_does(tendre, monkeypatch):
    monkeypatch.setenv("LANG", "fr_CA.UTF-8")
    assert "Aucun démon" in tendre("status").err


def test_a_stale_discovery_file_is_no_daemon(tendre, peer):
    peer.close()
    assert tendre("jobs").code == 3


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("paint",),
        ("image",),
        ("image", "x", "--steps", "many"),
        ("image", "x", "--lora", "a:b"),
        ("jobs", "--nope"),
        ("image", ""),
        ("image", "x", "--timeout", "-1"),
        ("image", "x", "--seed", "-3"),
    ],
)
def test_a_line_that_makes_no_sense_ends_with_2(tendre, argv):
    ran = tendre(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert "--help" in ran.err
    # What is wrong, and where to look: nobody reads a synopsis of thirty options.
    assert "usage:" not in ran.err
    assert len(ran.err.splitlines()) <= 3


def test_a_usage_error_is_a_document_under_json(tendre):
    ran = tendre("image", "--json")
    assert ran.code == 2
    assert ran.document["error"]["kind"] == "invalid_params"


def test_a_wrong_token_is_told_and_not_shown(tendre, peer):
    text = peer.paths.discovery.read_text()
    peer.paths.discovery.write_text(text.replace("peer-token", "other-token"))
    ran = tendre("status", "--json")
    assert ran.code == 1
    assert ran.document["error"]["kind"] == "unauthorized"
    assert "other-token" not in ran.out + ran.err


def test_a_broken_configuration_is_told_by_place(tendre, home):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("[rpc]\nport = 'x'\n")
    ran = tendre("status")
    assert ran.code == 2
    assert "config.toml:2" in ran.err


def test_every_help_lists_the_exit_codes(tendre):
    for argv in (["--help"], ["image", "--help"], ["library", "tag", "--help"]):
        ran = tendre(*argv)
        assert ran.code == 0
        assert "7 timed out" in " ".join(ran.out.split())


def test_help_loads_neither_rich_nor_aiohttp_nor_asyncio():
    code = (
        "import sys; from tendred.app.cli import main; main(['--help']); "
        "sys.stderr.write(repr(sorted({'rich', 'aiohttp', 'asyncio', 'numpy', 'PIL', 'torch'} & set(sys.modules))))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == "[]"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["library", "red", "egg"], ["library", "search", "red", "egg"]),
        (["library"], ["library", "search"]),
        (["library", "--json", "show", "x"], ["library", "--json", "show", "x"]),
        (["--home", "library", "library", "show"], ["--home", "library", "library", "show"]),
        (["--home=x", "models"], ["--home=x", "models", "list"]),
        (["models", "--help"], ["models", "--help"]),
        (["library", "--kind", "still"], ["library", "search", "--kind", "still"]),
        (["queue", "pause"], ["queue", "pause"]),
        (["image", "library"], ["image", "library"]),
        ([], []),
    ],
)
def test_a_bare_noun_gets_its_action(given, meant):
    assert complete(given) == meant


def test_a_reader_that_leaves_early_is_no_error(home):
    command = f"{sys.executable} -m tendred.app.cli --home '{home}' config sample | head -1"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert ran.returncode == 0
    assert ran.stderr == ""


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "many"])
@pytest.mark.parametrize("option", ["--guidance", "--keep-alive", "--timeout", "--lora"])
def test_a_number_is_finite(tendre, option, value):
    ran = tendre("image", "x", option, f"soft:{value}" if option == "--lora" else value)
    assert ran.code == 2
    assert repr(value) in ran.err


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (("imgae", "x"), "image"),
        (("queue", "puase"), "pause"),
        (("models", "sue"), "use"),
        (("image", "x", "--format", "jepg"), "jpeg"),
    ],
)
def test_a_slip_of_the_keys_is_told_with_what_is_near(tendre, argv, meant):
    ran = tendre(*argv)
    assert ran.code == 2
    assert f"did you mean {meant}?\n" in ran.err


def test_a_word_like_no_other_gets_no_guess(tendre):
    assert "did you mean" not in tendre("xyzzy").err


@pytest.mark.parametrize(
    "command", [("image", "x"), ("variations", "ast_1"), ("expand", "x"), ("grid", "x", "-x", "steps=1")]
)
def test_a_seed_that_is_none_is_named_with_what_there_may_be(tendre, command):
    for seed in (2**53, 10**30):
        ran = tendre(*command, "--seed", str(seed))
        assert ran.code == 2
        assert f"{seed} is no seed" in ran.err
        assert f"from 0 to {2**53 - 65}" in ran.err


def test_a_field_that_the_daemon_refuses_leads_to_the_help_of_the_command(tendre, peer):
    ran = tendre("image", "x", "--steps", "1000")
    assert ran.code == 2
    assert "tendre image --help" in ran.err
    assert "rpc." not in ran.err
