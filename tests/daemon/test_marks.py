"""Every file says what it is: over the whole road, with the real media process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tendred.app.verify import verify
from tendred.core.studio import Search
from tendred.errors import NotFound, SignerBroken


async def kept(daemon):
    return (await daemon.studio.search(Search())).assets


def looked_at(daemon, path, **options):
    return verify(path, paths=daemon.daemon.paths, marks=daemon.daemon.config.marks, **options)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
async def test_what_is_published_is_signed_by_this_installation(make_daemon, form):
    daemon = await make_daemon()
    job = await daemon.still("red hills", format=form, width=256, height=256, timeout_s=60)
    assert job.state == "succeeded", job.error
    [asset] = await kept(daemon)
    found = looked_at(daemon, asset.path, deep=True)
    assert (found.state, found.signer, found.synthetic) == ("intact", "ours", True)
    assert found.watermark is None or found.watermark.ours is True
    assert await daemon.studio.verify(asset.id, deep=False) == looked_at(daemon, asset.path)


async def test_a_file_exchanged_in_the_library_is_told(make_daemon):
    daemon = await make_daemon()
    await daemon.still("red hills")
    await daemon.still("blue hills")
    one, other = await kept(daemon)
    Path(one.path).write_bytes(Path(other.path).read_bytes())
    found = await daemon.studio.verify(one.id, deep=False)
    assert (found.state, found.problems) == ("intact", ["library.otherFile"])
    with pytest.raises(NotFound):
        await daemon.studio.verify("ast_nope", deep=False)


async def test_the_key_outlives_the_daemon(make_daemon, tmp_path):
    first = await make_daemon(home=tmp_path / "home")
    await first.still("red hills")
    [asset] = await kept(first)
    await first.stop()
    second = await make_daemon(home=tmp_path / "home")
    await second.still("blue hills")
    assert {looked_at(second, one.path).signer for one in await kept(second)} == {"ours"}
    assert looked_at(second, asset.path).certificate == looked_at(second, (await kept(second))[0].path).certificate


@pytest.mark.parametrize("trouble", ["gone", "nonsense"])
async def test_with_a_broken_signer_nothing_is_published(make_daemon, tmp_path, trouble):
    daemon = await make_daemon(home=tmp_path / "home")
    await daemon.still("red hills")
    [before] = await kept(daemon)
    await daemon.stop()
    key = daemon.daemon.paths.signing / "key.pem"
    if trouble == "gone":
        key.unlink()
    else:
        key.write_text("nonsense")
    again = await make_daemon(home=tmp_path / "home")
    files = sorted(again.daemon.paths.pictures.rglob("*"))
    for form in ("png", "jpeg", "webp"):
        job = await again.still("blue hills", format=form)
        assert (job.state, job.error.kind, job.asset_ids) == ("failed", "signer_broken", [])
        assert job.error.next
    assert sorted(again.daemon.paths.pictures.rglob("*")) == files
    assert [one.id for one in await kept(again)] == [before.id]


async def test_a_certificate_that_is_no_use_is_told_at_the_start(make_daemon, tmp_path):
    with pytest.raises(SignerBroken) as caught:
        await make_daemon(f"marks.certificate={tmp_path / 'none.pem'}", f"marks.key={tmp_path / 'key.pem'}")
    assert "none.pem" in str(caught.value)


async def test_receipts_say_that_nobody_looked(make_daemon):
    daemon = await make_daemon()
    await daemon.still("red hills")
    [asset] = await kept(daemon)
    assert asset.output_check == "none"
    assert (await daemon.studio.receipt(asset.receipt_id)).output_check == "none"
    [file] = Path(asset.path).parent.glob("*.receipt.json")
    assert json.loads(file.read_text())["output_check"] == "none"


async def test_an_output_check_that_is_not_there_withholds(make_daemon):
    daemon = await make_daemon("media.output_check=nowhere")
    job = await daemon.still("red hills")
    assert (job.state, job.asset_ids) == ("failed", [])
    assert "nowhere" in job.error.message or "nowhere" in str(job.error.detail)
    assert await kept(daemon) == []
