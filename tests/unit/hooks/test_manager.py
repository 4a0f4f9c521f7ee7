import sys
import threading

import pytest

from tendred.config.schema import PluginsSection
from tendred.hooks.manager import Plugins
from tendred.schema.still import Amendment, StillRequest
from tendred.testing.credentials import MemorySecrets

GOOD = """
from tendred.api import Amendment, hookimpl
requires_api = ">=1.0,<2"
calls = []
@hookimpl
def amend_request(request, context):
    calls.append(context.settings)
    request.tags.append("leak")
    return Amendment(prompt=request.prompt + " at dawn")
"""
RAISES = """
from tendred.api import hookimpl
requires_api = ">=1.0"
@hookimpl
def amend_request(request):
    raise SystemExit("mine")
"""
HANGS = """
import threading
from tendred.api import hookimpl
requires_api = ">=1.0"
@hookimpl
def amend_request(request):
    threading.Event().wait()
"""
WRONG = """
from tendred.api import hookimpl
requires_api = ">=1.0"
@hookimpl
def amend_request(request):
    return {"prompt": "x"}
"""
UNKNOWN_HOOK = """
from tendred.api import hookimpl
requires_api = ">=1.0"
@hookimpl
def no_such_hook(x):
    pass
"""
NEWER = "requires_api = '>=2'\n"
PROVIDER = """
from tendred.api import Features, hookimpl
requires_api = ">=1.0"
NAME = {name!r}
class Mine:
    features = Features(provider=NAME, models=[], cancel=False, idempotency=True, listing=False, cost=False, result_s=None,
        poll_s=1.0, concurrency=1, table_date="2026-11-01", source="mine")
    def __init__(self, key):
        self.key = key
@hookimpl
def clip_provider(key, context):
    {before}
    return Mine(key)
"""
UNSAID = "pass\n"
BROKEN = "1/0\n"


@pytest.fixture
def installed(tmp_path):
    """Distributions on sys.path, each with one plugin, as pip would leave them."""
    names = []

    def install(**sources):
        for name, source in sources.items():
            (tmp_path / f"plug_{name}.py").write_text(source)
            info = tmp_path / f"plug_{name}-1.2.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plug-{name}\nVersion: 1.2\n")
            (info / "entry_points.txt").write_text(f"[tendred]\n{name} = plug_{name}\n")
            names.append(f"plug_{name}")

    sys.path.insert(0, str(tmp_path))
    yield install
    sys.path.remove(str(tmp_path))
    for name in names:
        sys.modules.pop(name, None)


def loaded(tmp_path, *names, **settings):
    told = []
    section = PluginsSection(enabled=list(names), timeout_s=0.3, settings=settings)
    plugins = Plugins(section, tmp_path / "data", told.append)
    plugins.load()
    return plugins, told


async def test_nothing_runs_because_it_is_installed(installed, tmp_path):
    installed(good=GOOD)
    plugins, _ = loaded(tmp_path)
    assert plugins.status() == []
    assert "plug_good" not in sys.modules


async def test_an_enabled_plugin_gets_copies_and_its_settings(installed, tmp_path):
    installed(good=GOOD)
    plugins, told = loaded(tmp_path, "good", good={"key": 1})
    [status] = plugins.status()
    assert (status.state, status.version) == ("enabled", "1.2")
    assert plugins.having("amend_request") == ["good"]
    assert plugins.having("export_media") == []
    request = StillRequest(prompt="hills")
    assert await plugins.amend_request("good", request) == Amendment(prompt="hills at dawn")
    assert request.tags == []
    assert sys.modules["plug_good"].calls == [{"key": 1}]
    assert told == []


@pytest.mark.parametrize(
    ("source", "word"),
    [(NEWER, ">=2"), (UNSAID, "None"), (BROKEN, "ZeroDivisionError"), (UNKNOWN_HOOK, "no_such_hook")],
)
async def test_what_cannot_be_used_is_broken_and_the_next_one_works(installed, tmp_path, source, word):
    installed(bad=source, good=GOOD)
    plugins, _ = loaded(tmp_path, "bad", "good", "absent")
    bad, good, absent = plugins.status()
    assert (bad.state, good.state, absent.state) == ("broken", "enabled", "broken")
    assert word in str(bad.reason)
    assert plugins.having("amend_request") == ["good"]


@pytest.mark.parametrize(("source", "word"), [(RAISES, "mine"), (HANGS, "Timeout"), (WRONG, "Amendment")])
async def test_a_hook_that_fails_switches_its_plugin_off(installed, tmp_path, source, word):
    installed(bad=source, good=GOOD)
    plugins, told = loaded(tmp_path, "bad", "good")
    assert await plugins.amend_request("bad", StillRequest(prompt="x")) is None
    assert plugins.having("amend_request") == ["good"]
    [status] = told
    assert status.state == "disabled"
    assert word in str(status.reason)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "tendred-plugin")


async def test_a_plugin_adds_a_provider_and_is_given_its_own_key_alone(installed, tmp_path):
    installed(mine=PROVIDER.format(name="mine", before="pass"))
    plugins, told = loaded(tmp_path, "mine")
    secrets = MemorySecrets({"mine": "m", "ltx": "l"})
    adapters = plugins.adapters(secrets, taken={"ltx"})
    assert list(adapters) == ["mine"]
    assert (await adapters["mine"].key()).reveal() == "m"
    assert secrets.asked == ["mine"]
    assert told == []


@pytest.mark.parametrize(
    ("name", "before", "word"),
    [("ltx", "pass", "ltx"), ("Bad Name", "pass", "Bad Name"), ("mine", "1/0", "ZeroDivisionError")],
)
async def test_a_provider_that_fails_or_takes_anothers_name_switches_its_plugin_off(
    installed, tmp_path, name, before, word
):
    installed(bad=PROVIDER.format(name=name, before=before), good=PROVIDER.format(name="good", before="pass"))
    plugins, told = loaded(tmp_path, "bad", "good")
    assert list(plugins.adapters(MemorySecrets(), taken={"ltx"})) == ["good"]
    [status] = told
    assert (status.name, status.state, word in str(status.reason)) == ("bad", "disabled", True)
