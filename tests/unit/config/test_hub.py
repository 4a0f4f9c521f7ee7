import pytest

from tendred.config.hub import place
from tendred.config.schema import HubSection
from tendred.errors import CredentialsMissing

TOKEN = "hf_secret"


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    return file


def token(section, env):
    found = place(section, env).token()
    return None if found is None else found.reveal()


def test_where_the_hub_is():
    assert place(HubSection(), {}).endpoint == "https://huggingface.co"
    assert place(HubSection(), {"HF_ENDPOINT": "https://mirror.example/"}).endpoint == "https://mirror.example"
    assert place(HubSection(), {"HF_ENDPOINT": "mirror.example"}).endpoint == "https://mirror.example"
    section = HubSection(endpoint="http://127.0.0.1:1/")
    there = place(section, {"HF_ENDPOINT": "https://mirror.example"})
    assert (there.endpoint, there.host) == ("http://127.0.0.1:1", "127.0.0.1:1")


@pytest.mark.parametrize(
    ("endpoint", "env", "sent"),
    [
        ("", {"HF_TOKEN": TOKEN}, True),
        ("https://huggingface.co/", {"HF_TOKEN": TOKEN}, True),
        ("https://mirror.example", {"HF_TOKEN": TOKEN}, False),
        ("https://huggingface.co.evil.example", {"HF_TOKEN": TOKEN}, False),
        ("https://huggingface.co:444", {"HF_TOKEN": TOKEN}, False),
        ("", {"HF_TOKEN": TOKEN, "HF_ENDPOINT": "https://mirror.example"}, True),
        ("https://mirror.example", {"HF_TOKEN": TOKEN, "HF_ENDPOINT": "https://mirror.example"}, True),
        ("https://huggingface.co", {"HF_TOKEN": TOKEN, "HF_ENDPOINT": "https://mirror.example"}, False),
        ("", {"HF_TOKEN": " "}, False),
        ("", {}, False),
    ],
)
def test_the_variables_token_is_for_the_variables_hub(endpoint, env, sent):
    assert token(HubSection(endpoint=endpoint), env) == (TOKEN if sent else None)


def test_a_files_token_is_for_its_host(file):
    assert token(HubSection(token_file=str(file)), {"HF_TOKEN": "other"}) == TOKEN
    mirror = {"HF_ENDPOINT": "https://mirror.example", "HF_TOKEN": "other"}
    assert token(HubSection(token_file=str(file)), mirror) is None
    assert token(HubSection(token_file=str(file), token_host="mirror.example"), mirror) == TOKEN


@pytest.mark.parametrize(
    ("mode", "text"), [(0o644, TOKEN), (0o600, ""), (0o600, "two words"), (0o600, "é"), (0o600, "a\x07b")]
)
def test_a_file_that_will_not_do(file, mode, text):
    file.write_text(text, "utf-8")
    file.chmod(mode)
    with pytest.raises(CredentialsMissing) as caught:
        token(HubSection(token_file=str(file)), {})
    assert caught.value.variant == "file"
    assert text not in str(caught.value.detail) or not text


def test_a_file_that_is_not_there_or_no_file(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CredentialsMissing):
            token(HubSection(token_file=str(path)), {})


def test_what_the_child_may_know():
    env = {
        "https_proxy": "http://proxy:1", "NO_PROXY": "localhost", "SSL_CERT_FILE": "/ca.pem", "HF_HUB_OFFLINE": "1",
        "HF_TOKEN": TOKEN, "HUGGING_FACE_HUB_TOKEN": TOKEN, "HOME": "/home/me", "USER": "me", "AI_AGENT": "x",
    }  # fmt: skip
    there = place(HubSection(), env)
    passed = {
        "https_proxy": "http://proxy:1",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/ca.pem",
        "HF_HUB_OFFLINE": "1",
    }
    assert {name: value for name, value in there.env.items() if name in env} == passed
    assert there.env["HF_HUB_DISABLE_TELEMETRY"] == there.env["HF_HUB_DISABLE_XET"] == "1"
    assert TOKEN not in str(there.env)
    assert TOKEN not in repr(there)


def test_the_settings_proxy_and_authority_go_first():
    env = {
        "https_proxy": "http://other:1",
        "ALL_PROXY": "http://other:1",
        "NO_PROXY": "intranet",
        "SSL_CERT_FILE": "/x",
    }
    told = place(HubSection(proxy="http://mine:2", ca_file="/mine.pem"), env).env
    assert {told["HTTP_PROXY"], told["HTTPS_PROXY"]} == {"http://mine:2"}
    assert (told["NO_PROXY"], told["SSL_CERT_FILE"]) == ("intranet", "/mine.pem")
    assert not {"https_proxy", "ALL_PROXY"} & set(told)
