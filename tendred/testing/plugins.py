"""Plugins in a test: distributions on `sys.path` as an installer would leave them."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def installed(root: Path, **sources: str) -> Generator[None]:
    """Each source is a module `plug_<name>`, and the plugin <name> of a distribution of its own."""
    root.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        (root / f"plug_{name}.py").write_text(source)
        info = root / f"plug_{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plug-{name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[tendred]\n{name} = plug_{name}\n")
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in sources:
            sys.modules.pop(f"plug_{name}", None)
