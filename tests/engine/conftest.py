"""The real engine process: one for the module, because a start costs seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tendred.children import spawn_child
from tendred.clock import SystemClock, SystemRng
from tendred.config.schema import EngineSection
from tendred.engine.supervisor import Engine
from tendred.schema.sealed import Reviewed
from tendred.schema.work import Output
from tendred.tasks import Tasks
from tendred.testing import tiny_families
from tendred.testing.orders import order, reseal
from tendred.testing.tiny import STARTER

WOMAN = "portrait of a smiling tan woman with long wavy black hair wearing a teal dress on a yellow background"


class Studio:
    """An engine with the real process. `paths` are the models that jobs can name."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root = root
        self.staging = root / "staging"
        self.staging.mkdir()
        self.paths = {"starter": STARTER}
        self.tasks = Tasks()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._numbers = 0
        self.on_the_way: Callable[[Reviewed], Reviewed] = lambda reviewed: reviewed
        """What happens to an order between the daemon's seal and the process."""
        self.engine = Engine(
            config=EngineSection(**{"device": "cpu", "start_timeout_s": 600.0, "heartbeat_s": 120.0, **settings}),
            spawn=spawn_child,
            clock=SystemClock(),
            tasks=self.tasks,
            reseal=lambda reviewed, key: self.on_the_way(reseal(reviewed, key)),
            rng=SystemRng(),
            announce=lambda topic, data: self.events.append((topic, data)),
            stderr=root / "engine.log",
        )

    def order(self, conditioning: Any = None, **changes: Any) -> Any:
        self._numbers += 1
        changes = {"prompt": WOMAN, "width": 128, "height": 128, "steps": 4, "keep_alive_s": -1.0, **changes}
        path = self.paths.get(changes.get("model", "starter"), self.root / "nowhere")
        return order(f"job_{self._numbers}", path, self.staging, conditioning, **changes)

    async def draw(self, **changes: Any) -> list[Output]:
        """Run an order to its end."""
        reports = self.engine.run(self.order(**changes))
        return [report async for report in reports if isinstance(report, Output)]

    async def close(self) -> None:
        await self.engine.close()
        await self.tasks.stop()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    # One thread: two that wait for each other by spinning starve on a busy machine, and time limits with them.
    made = Studio(tmp_path_factory.mktemp("studio"), threads=1)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random SDXL and SD 1.5 folders, made by a process of its own: this one stays free of torch."""
    root = tmp_path_factory.mktemp("tiny")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    folders = {family: root / family for family in ("sdxl", "sd15")}
    arguments = [part for family, folder in folders.items() for part in (family, str(folder))]
    subprocess.run([sys.executable, "-m", "tendred.testing.tiny", *arguments], env=env, check=True, capture_output=True)
    return folders


@pytest.fixture(scope="session")
def extras(tiny: dict[str, Path]) -> dict[str, Path]:
    """Parts for the tiny SDXL and SD 1.5: two ControlNets, an autoencoder, upscalers."""
    root = tiny["sdxl"].parent
    kinds = {
        "lines": "controlnet-sdxl", "depth": "controlnet-sdxl", "small": "controlnet-sd15", "crisp": "vae-sdxl",
        "two.safetensors": "compact-2", "three.safetensors": "compact-3", "four.safetensors": "compact-4",
    }  # fmt: skip
    program("tendred.testing.tiny", *(part for name, kind in kinds.items() for part in (kind, str(root / name))))
    return {name.removesuffix(".safetensors"): root / name for name in kinds}


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random folders of the families built on transformers."""
    root = tmp_path_factory.mktemp("families")
    folders = {family: root / family for family in tiny_families.NAMES}
    program("tendred.testing.tiny", *(part for family, folder in folders.items() for part in (family, str(folder))))
    return folders


@pytest.fixture(scope="session")
def bare() -> Callable[..., list[str]]:
    """`bare(job, ...)`: what diffusers alone draws, see tendred.testing.bare."""
    return lambda *jobs: json.loads(program("tendred.testing.bare", stdin=json.dumps(jobs, default=str)))


def program(module: str, *arguments: str, stdin: str = "") -> str:
    """Run a module in a process of its own, offline: this one stays free of torch."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments], env=env, check=False, capture_output=True, text=True, input=stdin
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest_asyncio.fixture(loop_scope="session")
async def another(tmp_path: Path) -> AsyncIterator[Callable[..., Studio]]:
    """Makes an engine with a process of its own."""
    made: list[Studio] = []

    def make(**settings: Any) -> Studio:
        made.append(Studio(tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        await one.close()
