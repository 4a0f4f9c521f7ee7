"""The child that pulls, from outside: real children with the hub's real client, against a hub on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess

import pytest

from tendred.children import spawn_child
from tendred.config.hub import place
from tendred.config.schema import HubSection
from tendred.errors import (
    CredentialsMissing,
    DiskFull,
    ModelRefused,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
)
from tendred.models.wanted import plan
from tendred.pull.supervisor import HubProcess
from tendred.testing.disks import small_disk
from tendred.testing.hub import FakeHub, Fault, Repo, model, weights

pytestmark = pytest.mark.timeout(240)

UNET = "unet/diffusion_pytorch_model.safetensors"
CHUNK = 1024 * 1024
"""What an interruption may cost."""


@pytest.fixture
def hub():
    with FakeHub() as hub:
        yield hub


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 and its key in one file, signed by nobody else."""
    file = tmp_path / "hub.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split(), "-keyout", file, "-out", file], check=True, capture_output=True)
    return file


def pulling(hub, tmp_path, *, ca_file="", proxy="", **env):
    section = HubSection(endpoint=hub.endpoint, ca_file=str(ca_file), proxy=proxy)
    return HubProcess(
        place=place(section, env), spawn=spawn_child, stderr=tmp_path / "pull.log", home=tmp_path / "hub home"
    )


class Told:
    def __init__(self):
        self.frames = []

    def __call__(self, frame):
        self.frames.append(frame)


async def fetch(process, folder, told=None, repo="maker/tiny"):
    listed = await process.look(repo, "main")
    settled = plan(listed, None, repo)
    await process.fetch(repo, settled, folder, told or Told())
    return settled


def assert_whole(folder, files, settled):
    """Every file as it is on the hub, and nothing else."""
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert here == {file.target for file in settled.files}
    for file in settled.files:
        assert (folder / file.target).read_bytes() == files[file.source.name], file.target


async def test_a_repository_is_looked_up_at_one_commit(hub, tmp_path):
    listed = await pulling(hub, tmp_path).look("maker/tiny", "main")
    repo = hub.repos["maker/tiny"]
    assert (listed.commit, listed.licence, listed.gated) == (repo.commit, "openrail++", False)
    assert {file.name for file in listed.files} == set(repo.files)
    [unet] = [file for file in listed.files if file.name == UNET]
    assert (unet.bytes, unet.sha256) == (len(repo.files[UNET]), hashlib.sha256(repo.files[UNET]).hexdigest())
    assert listed.index == repo.files["model_index.json"].decode()


async def test_files_arrive_whole_and_the_cdn_sees_no_token(hub, tmp_path):
    hub.repos["maker/tiny"] = Repo(model(), gated=True, token="hf_secret")
    told = Told()
    process = pulling(hub, tmp_path, HF_ENDPOINT=hub.endpoint, HF_TOKEN="hf_secret")
    settled = await fetch(process, tmp_path / "model", told)
    assert_whole(tmp_path / "model", hub.repos["maker/tiny"].files, settled)
    assert told.frames[-1].done_bytes == settled.bytes
    assert {request.where for request in hub.requests} == {"hub", "cdn"}
    for request in hub.requests:
        token = request.headers.get("authorization")
        assert token == ("Bearer hf_secret" if request.where == "hub" else None)


async def test_what_is_said_of_us_is_versions_only(hub, tmp_path):
    await fetch(pulling(hub, tmp_path), tmp_path / "model")
    for request in hub.requests:
        assert not {"cookie", "referer", "authorization", "x-hf-download-counter"} & set(request.headers)
        words = request.headers["user-agent"].split("; ")
        assert [word.partition("/")[0] for word in words] == ["tendred", "hf_hub", "python"]
    assert not [request for request in hub.requests if "telemetry" in request.path or "agent-harness" in request.path]


async def test_a_pause_costs_less_than_a_chunk(hub, tmp_path):
    hub.repos["maker/tiny"] = Repo(model(6 * CHUNK))
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()
    hub.faults.append(Fault(UNET, 3 * CHUNK + 12345, "call", call=lambda: loop.call_soon_threadsafe(reached.set)))
    process = pulling(hub, tmp_path)
    running = asyncio.ensure_future(fetch(process, tmp_path / "model"))
    await reached.wait()
    running.cancel()
    await asyncio.wait([running])
    assert not (tmp_path / "model" / UNET).exists()
    assert (tmp_path / "model" / f"{UNET}.part").stat().st_size > 2 * CHUNK
    settled = await fetch(process, tmp_path / "model")
    assert_whole(tmp_path / "model", hub.repos["maker/tiny"].files, settled)
    assert hub.twice(UNET) < CHUNK


async def test_a_connection_that_is_cut_is_gone_on_with(hub, tmp_path):
    hub.repos["maker/tiny"] = Repo(model(3 * CHUNK))
    hub.faults += [Fault(UNET, at) for at in (5, CHUNK + 77, 2 * CHUNK)]
    settled = await fetch(pulling(hub, tmp_path), tmp_path / "model")
    assert_whole(tmp_path / "model", hub.repos["maker/tiny"].files, settled)
    assert hub.times(UNET) == 4
    assert hub.twice(UNET) < 3 * CHUNK


async def test_wrong_bytes_cost_that_file_once_more(hub, tmp_path):
    hub.faults += [Fault(UNET, 1000, "wrong"), Fault("unet/config.json", 3, "wrong")]
    settled = await fetch(pulling(hub, tmp_path), tmp_path / "model")
    assert_whole(tmp_path / "model", hub.repos["maker/tiny"].files, settled)
    assert (hub.times(UNET), hub.times("vae/diffusion_pytorch_model.safetensors")) == (2, 1)


async def test_wrong_bytes_twice_are_an_error_and_no_file(hub, tmp_path):
    hub.faults.append(Fault(UNET, 1000, "wrong", times=5))
    with pytest.raises(ModelRefused) as caught:
        await fetch(pulling(hub, tmp_path), tmp_path / "model")
    assert (caught.value.variant, caught.value.detail["reason"]) == ("damaged", "checksum")
    assert not (tmp_path / "model" / UNET).exists()


async def test_a_server_without_ranges_sends_it_all_again(hub, tmp_path):
    hub.faults += [Fault(UNET, 100_000), Fault(UNET, what="whole")]
    settled = await fetch(pulling(hub, tmp_path), tmp_path / "model")
    assert_whole(tmp_path / "model", hub.repos["maker/tiny"].files, settled)


async def test_a_part_of_something_longer_is_begun_anew(hub, tmp_path):
    part = tmp_path / "model" / f"{UNET}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(300_000))
    settled = await fetch(pulling(hub, tmp_path), tmp_path / "model")
    assert_whole(tmp_path / "model", hub.repos["maker/tiny"].files, settled)


async def test_a_full_disk_keeps_what_fits(hub, tmp_path):
    hub.repos["maker/tiny"] = Repo(model(4 * CHUNK))
    with small_disk(tmp_path / "small disk", "2m") as disk:
        with pytest.raises(DiskFull) as caught:
            await fetch(pulling(hub, tmp_path), disk / "model")
        assert caught.value.detail["repo"] == "maker/tiny"
        assert (disk / "model" / f"{UNET}.part").stat().st_size > CHUNK


@pytest.mark.parametrize(
    ("status", "kind"), [(404, ProviderRefused), (503, ProviderUnavailable), (401, CredentialsMissing)]
)
async def test_what_the_hub_answers_is_told_by_kind(hub, tmp_path, status, kind):
    hub.faults.append(Fault("", what="status", status=status, times=9))
    with pytest.raises(kind):
        await pulling(hub, tmp_path).look("maker/tiny", "main")


async def test_what_is_not_there_is_told(hub, tmp_path):
    process = pulling(hub, tmp_path)
    with pytest.raises(NotFound) as caught:
        await process.look("maker/tinny", "main")
    assert (caught.value.variant, caught.value.path) == ("hub", "repo")
    with pytest.raises(NotFound) as caught:
        await process.look("maker/tiny", "v9")
    assert (caught.value.variant, caught.value.path) == ("revision", "revision")


async def test_gated_models_are_explained(hub, tmp_path):
    hub.repos["maker/tiny"] = Repo(model(), gated=True, token="hf_secret", let_in=False)
    with pytest.raises(CredentialsMissing) as caught:
        await pulling(hub, tmp_path).look("maker/tiny", "main")
    assert (caught.value.variant, caught.value.detail["page"]) == ("gated", f"{hub.endpoint}/maker/tiny")
    with pytest.raises(ProviderRefused) as refused:
        await pulling(hub, tmp_path, HF_ENDPOINT=hub.endpoint, HF_TOKEN="hf_secret").look("maker/tiny", "main")
    assert refused.value.variant == "gated"


async def test_a_token_for_another_host_stays_here(hub, tmp_path):
    await pulling(hub, tmp_path, HF_TOKEN="hf_secret").look("maker/tiny", "main")
    assert not [request for request in hub.requests if "authorization" in request.headers]


async def test_nobody_is_asked_where_the_environment_says_offline(hub, tmp_path):
    with pytest.raises(ProviderUnavailable) as caught:
        await pulling(hub, tmp_path, HF_HUB_OFFLINE="1").look("maker/tiny", "main")
    assert caught.value.variant == "offline"
    assert hub.requests == []


async def test_a_hub_that_is_not_there(hub, tmp_path):
    with FakeHub() as gone:
        endpoint = gone.endpoint
    hub = type("Gone", (), {"endpoint": endpoint})
    with pytest.raises(ProviderUnavailable) as caught:
        await pulling(hub, tmp_path).look("maker/tiny", "main")
    assert caught.value.variant == "unreached"


@pytest.mark.needs("openssl")
async def test_an_authority_of_ones_own(certificate, tmp_path):
    with FakeHub(certificate=certificate) as hub:
        with pytest.raises(ProviderUnavailable) as caught:
            await pulling(hub, tmp_path).look("maker/tiny", "main")
        assert caught.value.variant == "certificate"
        for told in ({"ca_file": certificate}, {"SSL_CERT_FILE": str(certificate)}):
            process = pulling(hub, tmp_path, **told)
            listed = await process.look("maker/tiny", "main")
            assert listed.commit == hub.repos["maker/tiny"].commit
        # This hub's CDN speaks no TLS.
        with pytest.raises(ProviderRefused) as refused:
            await process.fetch("maker/tiny", plan(listed, None, "maker/tiny"), tmp_path / "model", Told())
        assert "from https to http" in refused.value.detail["problem"]
        assert not [request for request in hub.requests if request.where == "cdn"]


async def test_a_proxy_is_asked_for_a_host_that_only_it_knows(hub, tmp_path):
    far = type("Far", (), {"endpoint": "http://hub.invalid"})
    for told in ({"proxy": hub.endpoint}, {"HTTP_PROXY": hub.endpoint}, {"http_proxy": hub.endpoint}):
        hub.requests.clear()
        listed = await pulling(far, tmp_path, **told).look("maker/tiny", "main")
        assert listed.index is not None
        assert {request.path.partition("/maker")[0] for request in hub.requests} == {
            "http://hub.invalid/api/models", "http://hub.invalid",
        }  # fmt: skip


@pytest.mark.parametrize(("size", "kind"), [(200_001, ProviderRefused), (199_999, ProviderUnavailable)])
async def test_one_byte_more_or_less_is_noticed(hub, tmp_path, size, kind):
    """The file isn't the one that was listed."""
    process = pulling(hub, tmp_path)
    settled = plan(await process.look("maker/tiny", "main"), None, "maker/tiny")
    hub.repos["maker/tiny"] = Repo({**model(), UNET: weights(size, 1)}, tags=("main", settled.commit))
    with pytest.raises(kind):
        await process.fetch("maker/tiny", settled, tmp_path / "model", Told())
    assert not (tmp_path / "model" / UNET).exists()
    assert (tmp_path / "model" / f"{UNET}.part").stat().st_size <= len(model()[UNET])


async def test_what_a_cdn_signs_stands_in_no_log_and_no_error(hub, tmp_path):
    hub.faults.append(Fault(UNET, what="status", status=403))
    with pytest.raises(ProviderRefused) as caught:
        await fetch(pulling(hub, tmp_path), tmp_path / "model")
    assert [request for request in hub.requests if "signature=x" in request.path]
    assert "signature" not in f"{caught.value.detail}{(tmp_path / 'pull.log').read_text()}"
