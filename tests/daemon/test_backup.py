"""A move to another machine: what was ours is ours there, with its receipts, its keys and its signature."""

from __future__ import annotations

import shutil

from tendred.app.backup import backup, restore
from tendred.app.cli.run import main
from tendred.app.verify import verify
from tendred.config.paths import resolve
from tendred.config.schema import PathsSection
from tendred.core.studio import Search
from tendred.schema.source import Source


def places(home):
    return resolve(PathsSection(), {"TENDRED_HOME": str(home)})


async def test_own_stills_remain_own_after_a_move(make_daemon, tmp_path):
    old = await make_daemon(home=tmp_path / "old")
    for prompt in ("red hills", "blue hills"):
        assert (await old.still(prompt)).state == "succeeded"
    await old.studio.pause(mode="drain", unload=False)
    waiting = await old.submit("green hills")
    backup(old.daemon.paths, tmp_path / "all.tar")  # while it runs
    await old.stop()
    shutil.rmtree(tmp_path / "old")

    restore(places(tmp_path / "new"), tmp_path / "all.tar")
    new = await make_daemon(home=tmp_path / "new")
    assets = (await new.studio.search(Search())).assets
    assert len(assets) == 2
    assert (await new.studio.job(waiting.id)).state == "queued"
    assert (await new.studio.queue_status()).reason == "user"
    await new.studio.resume()
    assert (await new.studio.wait(waiting.id, 20)).state == "succeeded"
    for asset in assets:
        found = verify(asset.path, paths=new.daemon.paths, marks=new.daemon.config.marks)
        assert (found.state, found.signer) == ("intact", "ours")
        made = await new.still("a white sun", image=Source(asset_id=asset.id))
        assert made.state == "succeeded", made.error
    assert await new.studio._p.receipts.broken() == []
    # What is made there is of the same installation: one root for all of it.
    newest = (await new.studio.search(Search())).assets[0]
    assert verify(newest.path, paths=new.daemon.paths, marks=new.daemon.config.marks).signer == "ours"


async def test_as_a_person_types_it(make_daemon, tmp_path, capsys):
    daemon = await make_daemon(home=tmp_path / "old")
    await daemon.still("red hills")
    file, new = str(tmp_path / "all.tar"), str(tmp_path / "new")
    assert main(["--home", str(tmp_path / "old"), "--lang", "en", "backup", file]) == 0
    said = capsys.readouterr()
    assert "Backed up to" in said.out
    assert "can sign as this installation" in said.err
    assert main(["--home", new, "--lang", "en", "restore", file]) == 0
    assert "tendre queue resume" in capsys.readouterr().err
    assert main(["--home", new, "--lang", "en", "restore", file]) == 1
    assert "there already" in capsys.readouterr().err
