import json
from pathlib import Path

import pytest


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
