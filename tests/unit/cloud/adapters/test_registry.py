from __future__ import annotations

import pytest

from tendred.clock import SystemClock
from tendred.cloud.adapters.registry import MAKERS, build, net
from tendred.config.schema import CloudSection
from tendred.errors import ConfigBroken
from tendred.testing.credentials import MemorySecrets

HEAD = 'table_date = 2026-11-01\nsource = "me"\n'


def made(folder):
    return build(folder, MemorySecrets(), SystemClock(), net(CloudSection(), {}))


def test_every_provider_with_an_address_has_its_adapter(tmp_path):
    adapters = made(tmp_path)
    assert set(adapters) == set(MAKERS) - {"openai-videos"}
    assert all(adapter.features.provider == name for name, adapter in adapters.items())


def test_a_server_of_ones_own_is_named_by_a_file(tmp_path):
    (tmp_path / "openai-videos.toml").write_text(f'{HEAD}endpoint = "https://videos.example:8000"\n')
    assert "openai-videos" in made(tmp_path)


@pytest.mark.parametrize("endpoint", ["http://videos.example", "videos.example", "https://me:secret@videos.example"])
def test_an_address_that_would_show_the_key_is_refused(tmp_path, endpoint):
    (tmp_path / "openai-videos.toml").write_text(f'{HEAD}endpoint = "{endpoint}"\n')
    with pytest.raises(ConfigBroken):
        made(tmp_path)


def test_the_way_out_is_the_settings_then_the_environments(tmp_path):
    certificates = tmp_path / "ca.pem"
    certificates.touch()
    env = {"HTTPS_PROXY": "http://p:1", "SSL_CERT_FILE": "/x"}
    assert net(CloudSection(), env).proxy == "http://p:1"
    assert net(CloudSection(), env).ca_file == "/x"
    own = net(CloudSection(proxy="http://q:2", ca_file=str(certificates)), env)
    assert (own.proxy, own.ca_file) == ("http://q:2", str(certificates))
    with pytest.raises(ConfigBroken):
        net(CloudSection(ca_file=str(tmp_path / "none")), env)


async def test_each_adapter_is_given_its_own_key_and_no_other(tmp_path):
    secrets = MemorySecrets({"ltx": "a", "fal": "b"})
    adapters = build(tmp_path, secrets, SystemClock(), net(CloudSection(), {}))
    for name in ("ltx", "fal", "replicate"):
        await adapters[name]._wire.key()
    assert secrets.asked == ["ltx", "fal", "replicate"]
