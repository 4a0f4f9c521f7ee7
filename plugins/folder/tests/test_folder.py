import json
from pathlib import Path

import pytest
from PIL import Image

from tendred.app.verify import verify


async def test_a_finished_still_arrives_in_the_folder(make_daemon, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    daemon = await make_daemon(
        f"plugins.settings.folder={{ path = {json.dumps(str(there))} }}", 'plugins.enabled=["folder"]'
    )
    job = await daemon.still("red hills", seed=3)
    asset = await daemon.studio.asset(job.asset_ids[0])
    arrived = await daemon.eventually(
        lambda: sorted(path.name for path in there.iterdir()), lambda names: len(names) == 2
    )
    name = Path(asset.path).name
    assert arrived == [name, f"{name}.json"]
    assert (there / name).read_bytes() == Path(asset.path).read_bytes()
    assert json.loads((there / f"{name}.json").read_text())["asset_id"] == asset.id


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
async def test_settings_may_stay_behind_and_the_marking_never(make_daemon, tmp_path, form):
    there = tmp_path / "there"
    there.mkdir()
    daemon = await make_daemon(
        f"plugins.settings.folder={{ path = {json.dumps(str(there))} }}",
        'plugins.enabled=["folder"]',
        'plugins.plain=["folder"]',
    )
    job = await daemon.still("a lighthouse", seed=3, format=form, width=256, height=256)
    asset = await daemon.studio.asset(job.asset_ids[0])
    names = await daemon.eventually(
        lambda: sorted(path.name for path in there.iterdir()), lambda names: len(names) == 2
    )
    assert names[0].startswith(asset.id)
    assert all(b"lighthouse" not in (there / name).read_bytes() for name in names)
    assert b"lighthouse" in Path(asset.path).read_bytes()
    assert b"DigitalSourceType" in (there / names[0]).read_bytes()
    found = verify(there / names[0], paths=daemon.daemon.paths, marks=daemon.daemon.config.marks, deep=True)
    assert (found.state, found.signer, found.synthetic) == ("intact", "ours", True)
    assert [(one.relation, one.credentials) for one in found.origins] == [("parentOf", True)]
    with Image.open(there / names[0]) as copy, Image.open(asset.path) as own:
        assert copy.tobytes() == own.tobytes()
    left = daemon.daemon.paths.cache / "exports"
    assert await daemon.eventually(lambda: [*left.iterdir()], lambda kept: not kept) == []


async def test_a_missing_folder_never_fails_the_job(make_daemon, tmp_path):
    away = tmp_path / "away"
    daemon = await make_daemon(
        f"plugins.settings.folder={{ path = {json.dumps(str(away))} }}", 'plugins.enabled=["folder"]'
    )
    job = await daemon.still("red hills")
    assert job.state == "succeeded"
    [status] = (await daemon.studio.status()).plugins
    assert (status.name, status.state) == ("folder", "enabled")


def test_the_plugin_imports_the_public_api_only():
    source = Path(__file__).parents[1] / "src" / "tendred_folder" / "__init__.py"
    lines = [line for line in source.read_text().splitlines() if line.startswith(("import tendred", "from tendred"))]
    assert lines == ["from tendred.api import Asset, Context, Receipt, hookimpl"]


@pytest.mark.parametrize("name", ["nosuch"])
async def test_a_plugin_that_is_not_installed_is_told(make_daemon, name):
    daemon = await make_daemon(f'plugins.enabled=["{name}"]')
    [status] = (await daemon.studio.status()).plugins
    assert (status.state, status.name) == ("broken", name)
