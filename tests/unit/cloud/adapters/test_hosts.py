from __future__ import annotations

import pytest

from tendred.cloud.adapters.hosts import HostNotAllowed, Origin, PublicResolver, allowed, is_under, origin

HOME = origin("https://api.ltx.video")
HERE = origin("http://127.0.0.1:8000")


def test_an_origin_is_scheme_host_and_port():
    assert origin("https://API.ltx.video/v2/x?y") == Origin("https", "api.ltx.video", 443) == HOME
    assert str(origin("http://[::1]:80/x")) == "http://[::1]:80"
    assert origin("https://api.ltx.video:444") != HOME


@pytest.mark.parametrize(
    "url",
    [
        "http://api.ltx.video",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x:99999",
        "x",
        "",
        "http://[",
        "http://10.0.0.1",
    ],
)
def test_what_nothing_is_sent_to(url):
    with pytest.raises(HostNotAllowed):
        origin(url)


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/x", "https://127.0.0.1/x", "https://[::1]/x", "https://169.254.169.254/x", "http://localhost/x",
     "https://localhost/x", "https://[fd00::1]/x"],
)  # fmt: skip
def test_a_provider_out_there_leads_nowhere_in_here(url):
    with pytest.raises(HostNotAllowed):
        allowed(url, HOME)


def test_public_ones_are_fine_and_one_in_here_may_lead_anywhere_in_here():
    assert allowed("https://storage.googleapis.com/x", HOME).host == "storage.googleapis.com"
    assert allowed("https://8.8.8.8/x", HOME).host == "8.8.8.8"
    assert allowed("http://127.0.0.1:9/x", HERE).port == 9


def test_domains():
    assert is_under("a.replicate.delivery", ["replicate.delivery"])
    assert is_under("replicate.delivery", ["replicate.delivery"])
    assert not is_under("evilreplicate.delivery", ["replicate.delivery"])
    assert not is_under("replicate.delivery.evil.example", ["replicate.delivery"])


async def test_a_name_that_leads_in_here_is_not_resolved():
    resolver = PublicResolver()
    with pytest.raises(HostNotAllowed):
        await resolver.resolve("localhost", 443)
    await resolver.close()
