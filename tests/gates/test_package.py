"""What is installed is all there: the starter model, the words, the boundary's data; and the versions are pinned."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata, resources

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tendred import __version__
from tendred.errors import LANGUAGES
from tendred.models.catalog import STARTER_PATH


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def packaged(root, project):
    """Files that go into the wheel: modules, and what the globs of package-data match."""
    package = root / "tendred"
    globs = project["tool"]["setuptools"]["package-data"]["tendred"]
    return {path for pattern in ["**/*.py", *globs] for path in package.glob(pattern) if path.is_file()}


def test_every_file_of_the_package_is_packaged(root, packaged):
    everything = {
        path
        for path in (root / "tendred").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert sorted(path.relative_to(root).as_posix() for path in everything - packaged) == []


def test_every_folder_with_modules_is_a_package(root):
    """`packages.find` passes over a folder without `__init__.py`."""
    folders = {path.parent for path in (root / "tendred").rglob("*.py")}
    assert sorted(str(folder) for folder in folders if not (folder / "__init__.py").is_file()) == []


def test_the_data_can_be_read_as_installed():
    package = resources.files("tendred")
    assert package.joinpath("py.typed").is_file()
    for lang in LANGUAGES:
        assert tomllib.loads(package.joinpath("locale", f"{lang}.toml").read_text("utf-8"))
    rules = [entry for entry in package.joinpath("boundary", "data").iterdir() if entry.name.endswith(".toml")]
    assert len(rules) >= 6


def test_the_starter_is_whole(packaged):
    models = STARTER_PATH.parent
    folders = {models / name for name in ("starter", "loras", "upscalers")}
    names = {path.relative_to(models).as_posix() for path in packaged if folders & {*path.parents}}
    assert {f"starter/{name}" for name in ("model_index.json", "tendred.json", "LICENSE.md")} <= names
    assert {"loras/mira.json", "upscalers/drawn-x2.json"} <= names
    weights = [name for name in names if name.endswith(".safetensors")]
    assert len(weights) == 7
    assert not [name for name in names if name.endswith((".bin", ".ckpt", ".pt", ".pth", ".pkl", ".py"))]
    for name in weights:
        file = models / name
        length = int.from_bytes(file.read_bytes()[:8], "little")
        assert 2 < length < file.stat().st_size, f"{name} is no safetensors file (a pointer of git-lfs?)"


def test_the_version_and_the_programs(project):
    found = metadata.distribution("tendred")
    assert found.version == __version__
    scripts = {point.name: point.value for point in found.entry_points if point.group == "console_scripts"}
    assert scripts == project["project"]["scripts"] == {
        "tendred": "tendred.__main__:main", "tendre": "tendred.app.cli:main",
    }  # fmt: skip
    for point in found.entry_points:
        assert point.load()


def test_every_requirement_is_pinned_and_the_pin_fits(root, project):
    lines = (root / "constraints.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    pins = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pinned}
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["engine"],
        *(line for group in project["dependency-groups"].values() for line in group if isinstance(line, str)),
    ]
    for line in wanted:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name in pins, name
        assert requirement.specifier.contains(pins[name], prereleases=True), f"{line}, but {pins[name]} is pinned"


@pytest.mark.heavy
def test_the_built_wheel_holds_all_of_it(root, packaged, tmp_path):
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    source.mkdir()
    shutil.copytree(root / "tendred", source / "tendred", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        if (root / name).is_file():
            shutil.copy(root / name, source / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)]
    built = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("tendred-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for path in packaged:
            name = path.relative_to(root).as_posix()
            assert name in names
            assert archive.getinfo(name).file_size == path.stat().st_size
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
