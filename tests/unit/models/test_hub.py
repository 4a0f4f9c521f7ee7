import os

import pytest

from tendred.models.hub import cache_of, licence_of, repository_of, snapshot, strays
from tendred.schema.weights import entries
from tendred.testing.hub_cache import cached


@pytest.fixture
def repository(tmp_path):
    return cached(tmp_path, "org/name", {"model.safetensors": b"weights", "README.md": b"---\nlicense: mit\n---\n# x"})


def test_a_snapshot_knows_its_repository(repository):
    now = snapshot(repository)
    assert now == repository / "snapshots" / "r1"
    assert (cache_of(now), repository_of(now)) == (repository, "org/name")
    assert cache_of(repository) is repository_of(repository) is None


def test_the_revision_that_the_name_means_counts_not_the_newest(repository):
    (repository / "snapshots" / "r2").mkdir()
    os.utime(repository / "snapshots" / "r2", (9e9, 9e9))
    assert snapshot(repository).name == "r1"
    for odd in ("../../elsewhere", "..", ""):
        (repository / "refs" / "main").write_text(odd)
        assert snapshot(repository).name == "r2"
    (repository / "refs" / "main").unlink()
    assert snapshot(repository).name == "r2"


def test_without_any_snapshot_there_is_none(tmp_path):
    assert snapshot(tmp_path) is None


def test_links_lead_to_the_repositorys_own_blobs_or_are_refused(repository, tmp_path):
    now = snapshot(repository)
    assert strays(now, entries(now)) is None
    (tmp_path / "outside.safetensors").write_bytes(b"x")
    (now / "evil.safetensors").symlink_to(tmp_path / "outside.safetensors")
    assert strays(now, entries(now)) == "evil.safetensors"
    other = cached(tmp_path, "org/name2", {"model.safetensors": b"theirs"})
    (now / "evil.safetensors").unlink()
    (now / "evil.safetensors").symlink_to(snapshot(other) / "model.safetensors")
    assert strays(now, entries(now)) == "evil.safetensors"


def test_elsewhere_links_are_free(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "b").symlink_to(tmp_path / "a")
    assert strays(tmp_path / "m", entries(tmp_path / "m")) is None


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags:\n- x\n---\n", "apache-2.0"),
        ("---\nlicense: other\nlicense_name: flux-1-dev-non-commercial-license\nlicense_link: LICENSE.md\n---\n",
         "flux-1-dev-non-commercial-license"),
        ("---\ntags: [x]\n---\nlicense: mit\n", None),
        ("# No front matter\nlicense: mit\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_licence_that_a_readme_names(tmp_path, text, licence):
    (tmp_path / "README.md").write_text(text)
    assert licence_of(tmp_path) == licence


def test_without_a_readme_there_is_none(tmp_path):
    assert licence_of(tmp_path) is None
