"""The tests mirror the tree: tendred/<room>/<module>.py has tests/unit/<room>/test_<module>.py."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath

ELSEWHERE = {
    "tendred/core/erasing.py": "tests/daemon/test_erase.py: over every room",
    "tendred/__main__.py": "tests/gates/test_process.py starts it as a program",
    "tendred/app/daemon.py": "tests/daemon/test_road.py: the whole of it",
    "tendred/app/assembly.py": "tests/daemon/test_road.py: the whole of it",
    "tendred/app/cli/": "tests/unit/app/cli: commands are tested as lines that people type, several files at once",
    "tendred/config/schema.py": "tests/unit/config/test_sample.py: it is a table",
    "tendred/core/judging.py": "tests/unit/core/test_submit.py: what a request brings before the boundary",
    "tendred/core/opening.py": "tests/daemon/test_road.py: what a job was sealed with, at every claim",
    "tendred/core/party.py": "tests/daemon/test_together.py: jobs that meet before the engine",
    "tendred/core/parts.py": "tests/daemon/test_road.py: what a studio is made of",
    "tendred/core/pull_rows.py": "tests/daemon/test_pulls.py: rows that a pull goes through",
    "tendred/core/pulling.py": "tests/daemon/test_pulls.py: over every room, with the real child",
    "tendred/core/pulls.py": "tests/daemon/test_pulls.py: over every room, with the real child",
    "tendred/core/run.py": "tests/daemon/test_road.py: the road needs every room",
    "tendred/core/search.py": "tests/daemon/test_road.py: what a door asks the library for",
    "tendred/core/upscale.py": "tests/daemon/test_sources.py: a road of its own, over every room",
    "tendred/core/studio.py": "tests/daemon/test_road.py: every door's methods, over every room",
    "tendred/engine/session.py": "tests/unit/engine/test_keeper.py: a record that the keeper fills",
    "tendred/engine/worker/": "tests/engine/test_worker.py: in a process of its own, since it imports torch",
    "tendred/hotfolder/handover.py": "tests/unit/hotfolder/test_folder.py",
    "tendred/hotfolder/outcome.py": "tests/unit/hotfolder/test_folder.py",
    "tendred/hotfolder/pending.py": "tests/unit/hotfolder/test_crash.py: records that must survive one",
    "tendred/hotfolder/plain_csv.py": "tests/unit/hotfolder/test_parse.py: every format side by side",
    "tendred/hotfolder/plain_json.py": "tests/unit/hotfolder/test_parse.py: every format side by side",
    "tendred/hotfolder/plain_yaml.py": "tests/unit/hotfolder/test_parse.py: every format side by side",
    "tendred/hotfolder/plain_toml.py": "tests/unit/hotfolder/test_parse.py: every format side by side",
    "tendred/hotfolder/spot.py": "tests/unit/hotfolder/test_folder.py",
    "tendred/hotfolder/wake.py": "tests/unit/hotfolder/test_folder.py",
    "tendred/models/adapters.py": "tests/unit/models/test_recognise.py: every layout side by side",
    "tendred/models/checkpoints.py": "tests/unit/models/test_recognise.py: every layout side by side",
    "tendred/models/keys.py": "tests/unit/models/test_recognise.py: every layout side by side",
    "tendred/models/upscalers.py": "tests/unit/models/test_recognise.py: every layout side by side",
    "tendred/media/worker/confine.py": "tests/unit/media/worker/test_main.py: in a process of its own",
    "tendred/core/verifying.py": "tests/daemon/test_marks.py: over every room",
    "tendred/media/worker/studio.py": "tests/unit/media/test_supervisor.py: what the child is asked for",
    "tendred/media/worker/marking.py": "tests/unit/media/worker/test_encode.py: what travels in a file",
    "tendred/pull/worker/__main__.py": "tests/unit/pull/test_supervisor.py: in a process of its own",
    "tendred/pull/worker/fetch.py": "tests/unit/pull/test_supervisor.py: in a process of its own",
    "tendred/pull/worker/trouble.py": "tests/unit/pull/test_supervisor.py: in a process of its own",
    "tendred/app/cloudwork.py": "tests/daemon/test_clips.py: the whole of it",
    "tendred/cloud/broker.py": "tests/faults/test_broker.py: one life after another",
    "tendred/cloud/clips.py": "tests/faults/test_broker.py: every arrow, with its money and its job",
    "tendred/cloud/follow.py": "tests/faults/test_broker.py: one life after another",
    "tendred/cloud/office.py": "tests/faults/test_broker.py: what people do between two deaths",
    "tendred/core/clipdesk.py": "tests/daemon/test_clips.py: over every room",
    "tendred/core/clipjudge.py": "tests/daemon/test_clips.py: over every room",
    "tendred/core/clips.py": "tests/daemon/test_clips.py: over every room",
    "tendred/core/cloud.py": "tests/daemon/test_clips.py: over every room",
    "tendred/core/spend.py": "tests/daemon/test_clips.py: over every room",
    "tendred/queue/clips.py": "tests/daemon/test_clips.py: what a job says of its clip",
    "tendred/rpc/methods/clips.py": "tests/daemon/test_clips.py: over HTTP",
    "tendred/rpc/methods/spend.py": "tests/daemon/test_clips.py: over HTTP",
    "tendred/rpc/methods/tokens.py": "tests/daemon/test_clips.py: over HTTP",
    "tendred/core/expansions.py": "tests/daemon/test_prompts.py: the dry run of the road",
    "tendred/core/grids.py": "tests/daemon/test_grids.py: many jobs on the road",
    "tendred/core/finals.py": "tests/daemon/test_shots.py: a road of its own, over every room",
    "tendred/core/looks.py": "tests/daemon/test_shots.py: pictures of takes, by the real child",
    "tendred/core/script.py": "tests/daemon/test_shots.py: what a shot is made from",
    "tendred/core/shot_rows.py": "tests/daemon/test_shots.py: rows that a shot goes through",
    "tendred/core/shot_view.py": "tests/daemon/test_shots.py: shots as doors see them",
    "tendred/core/shots.py": "tests/daemon/test_shots.py: over every room, with the real child",
    "tendred/rpc/methods/shots.py": "tests/daemon/test_shots.py: over HTTP, with a real studio",
    "tendred/media/worker/clips.py": "tests/unit/media/test_supervisor.py: in a process of its own",
    "tendred/core/trail.py": "tests/unit/core/test_wording.py: the way back over every stage",
    "tendred/media/worker/sheet.py": "tests/unit/media/worker/test_encode.py: a sheet is a file that is encoded",
    "tendred/rpc/methods/presets.py": "tests/daemon/test_prompts.py: over HTTP, with a real studio",
    "tendred/rpc/methods/prompts.py": "tests/daemon/test_prompts.py: over HTTP, with a real studio",
    "tendred/rpc/methods/wildcards.py": "tests/daemon/test_prompts.py: over HTTP, with a real studio",
    "tendred/rpc/methods/__init__.py": "tests/gates/test_wire.py: the registry",
    "tendred/rpc/methods/common.py": "tests/unit/rpc/methods/test_images.py",
    "tendred/testing/": "tests: fakes are tested by their use; those that stand in for a disk have tests of their own",
}
"""What is tested under another name, and where. A path that ends in a slash means all below it."""
EXTRA = {
    "app/cli/test_nouns.py": "one command after another",
    "app/cli/test_terminal.py": "every command on a real terminal",
    "hotfolder/test_crash.py": "the door as a whole, cut off at every operation",
}
"""Tests that belong to a room, not to one file of it."""


def says_nothing(function):
    """A Protocol's or a hook's: a docstring, `...`, or NotImplementedError."""
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Raise) and ast.unparse(node) == "raise NotImplementedError")
        for node in function.body
    )


def behaves(source):
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not says_nothing(node)
        for node in ast.walk(source.tree)
    )


def mirror(name):
    path = PurePosixPath(name).relative_to("tendred")
    stem = "main" if path.stem == "__main__" else path.stem
    return f"tests/unit/{path.with_name(f'test_{stem}.py')}"


def excepted(name):
    return next((known for known in ELSEWHERE if name == known or (known.endswith("/") and name.startswith(known))), "")


def test_every_file_that_does_something_has_its_test(package, root):
    bare = [
        source.name
        for source in package
        if source.name.startswith("tendred/")
        and behaves(source)
        and not excepted(source.name)
        and not (root / mirror(source.name)).is_file()
    ]
    assert bare == []


def test_every_test_has_its_file(package, root):
    known = {mirror(source.name) for source in package if source.name.startswith("tendred/")}
    known |= {f"tests/unit/{name}" for name in EXTRA}
    tests = {file.relative_to(root).as_posix() for file in (root / "tests" / "unit").rglob("test_*.py")}
    assert sorted(tests - known) == []
    assert sorted({f"tests/unit/{name}" for name in EXTRA} - tests) == []


def test_exceptions_are_needed_and_true(package, root):
    names = {source.name for source in package}
    for name, where in ELSEWHERE.items():
        assert (root / where.partition(":")[0].partition(" ")[0]).exists(), where
        if name.endswith("/"):
            assert any(known.startswith(name) for known in names), name
        else:
            assert name in names, f"{name} is gone"
            assert not (root / mirror(name)).is_file(), f"{name} has its test now"
