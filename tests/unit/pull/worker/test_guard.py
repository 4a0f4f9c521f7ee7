"""Whom the token reaches, and where an answer may lead."""

from __future__ import annotations

import httpx2
import pytest

from tendred.pull.worker.guard import Guard, Led, unproxied

NAMES = {
    "hub.example": ["93.184.216.34"], "cdn.example": ["93.184.216.35", "2606:2800:220:1::1"],
    "inside.example": ["10.0.0.7"], "both.example": ["93.184.216.34", "127.0.0.1"], "mirror.lan": ["192.168.1.2"],
    "v6.example": ["fe80::1%eth0"], "mapped.example": ["::ffff:127.0.0.1"], "gone.example": [],
}  # fmt: skip


def resolve(_scheme, host):
    return NAMES.get(host, [host])


def sent(endpoint, url):
    """The request's headers as they go out."""
    request = httpx2.Request("GET", url, headers={"authorization": "Bearer hf_secret"})
    Guard(endpoint, resolve)(request)
    return request.headers


@pytest.mark.parametrize("url", ["https://hub.example/x", "https://hub.example:443/x", "https://HUB.example/x"])
def test_its_own_host_gets_the_token(url):
    assert sent("https://hub.example", url)["authorization"] == "Bearer hf_secret"


@pytest.mark.parametrize(
    "url",
    ["https://cdn.example/x", "https://hub.example:8443/x", "https://huggingface.co/x", "https://hub.example.cdn.example/x",
     "https://gone.example/"],
)  # fmt: skip
def test_nobody_else_does(url):
    NAMES.setdefault("hub.example.cdn.example", ["93.184.216.35"])
    NAMES.setdefault("huggingface.co", ["18.164.174.23"])
    assert "authorization" not in sent("https://hub.example", url)


@pytest.mark.parametrize(
    "url",
    ["http://cdn.example/x", "http://hub.example/x", "https://inside.example/", "https://both.example/",
     "https://v6.example/", "https://mapped.example/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/",
     "https://10.1.2.3:8080/", "https://0.0.0.0/", "https://[fd00::1]/"],
)  # fmt: skip
def test_an_answer_from_the_internet_leads_nowhere_else(url):
    with pytest.raises(Led):
        sent("https://hub.example", url)


def test_a_mirror_at_home_may_lead_about_at_home():
    assert "authorization" not in sent("http://mirror.lan:8000", "http://mirror.lan:9000/x")
    assert "authorization" not in sent("http://127.0.0.1:8000", "http://127.0.0.1:9000/x")
    with pytest.raises(Led):
        sent("https://mirror.lan", "http://mirror.lan/x")


@pytest.mark.parametrize("url", ["http://huggingface.co", "http://both.example", "http://gone.example"])
def test_the_token_does_not_go_about_in_clear(url):
    NAMES.setdefault("huggingface.co", ["18.164.174.23"])
    with pytest.raises(Led, match="in clear"):
        sent(url, f"{url}/x")
    Guard(url, resolve)(httpx2.Request("GET", f"{url}/x"))  # who has none may ask as before


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]", "http://localhost", "http://mirror.lan"])
def test_at_home_it_may(url):
    assert "authorization" in sent(url, f"{url}/x")


@pytest.mark.parametrize(
    ("variables", "looked_up"),
    [
        ({}, {"http", "https"}),
        ({"no_proxy": "localhost"}, {"http", "https"}),
        ({"http_proxy": "http://proxy:1"}, {"https"}),
        ({"all_proxy": "http://proxy:1"}, set()),
        ({"all_proxy": "http://proxy:1", "no_proxy": "hub.example"}, {"http", "https"}),
        ({"https_proxy": "http://proxy:1", "no_proxy": "other.example"}, {"http"}),
    ],
)
def test_names_are_looked_up_where_no_proxy_does_it(monkeypatch, variables, looked_up):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    resolve = unproxied(lambda _host: ["10.0.0.7"])
    assert {scheme for scheme in ("http", "https") if resolve(scheme, "hub.example")} == looked_up
    assert resolve("https", "127.0.0.1") == ["127.0.0.1"]
