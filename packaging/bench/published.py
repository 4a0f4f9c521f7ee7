"""What a run publishes: how many of its files have valid credentials, by two implementations, carry XMP and the mark.

A real daemon draws real stills of the starter's own size, in one step each: how long it draws changes no mark. Files are
read from the disk by the c2pa library and by Pillow, past everything of ours but the reading of the mark; and, after
`npm install --prefix packaging/second`, by a second implementation of C2PA, which reads no WebP.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import c2pa
from _house import HERE, Table, arguments, folder, house
from PIL import Image

from tendred.app.client import Client
from tendred.media.worker import identity, watermark

SECOND = HERE.parent / "second"
TRAINED = "trainedAlgorithmicMedia"
FORMATS = ("png", "jpeg", "webp")
BATCH = 50
PROMPTS = ("red hills", "portrait of a smiling woman with long hair", "a blue clay creature", "a woman in a teal dress")


def run(client: Client, count: int) -> list[Path]:
    """So many jobs of one still, sent at once as a person does who means it, and the files that came of them."""
    settings: dict[str, Any] = {"steps": 1, "guidance": 1.0}
    jobs = [
        client.call("images.generate", prompt=PROMPTS[n % len(PROMPTS)], format=FORMATS[n % 3], seed=n, **settings)
        for n in range(count)
    ]
    files: list[Path] = []
    for job in (one["job"] for one in jobs):
        while job["state"] in {"queued", "running"}:
            job = client.call("jobs.wait", job_id=job["id"], timeout_s=60)  # noqa: PLW2901 - as it stands now
        if job["state"] != "succeeded":
            raise RuntimeError(f"{job['id']} is {job['state']}: {job['error']}")
        files += [Path(client.call("library.get", asset_id=asset)["path"]) for asset in job["asset_ids"]]
    return files


def credentials(file: Path) -> tuple[bool, bool]:
    """Whether the library calls them valid, and whether they say that a machine made it."""
    with c2pa.Reader(file) as reader:
        told = json.loads(reader.json())
    active = told["manifests"][told["active_manifest"]]
    actions = [one for part in active["assertions"] if "actions" in part["label"] for one in part["data"]["actions"]]
    says = any(str(one.get("digitalSourceType", "")).endswith(TRAINED) for one in actions)
    return told["validation_state"] in {"Valid", "Trusted"}, says


def xmp(file: Path) -> bool:
    """Whether Pillow finds the IPTC mark."""
    with Image.open(file) as picture:
        found = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    text = found if isinstance(found, str) else found.decode("utf-8", "replace")
    return "DigitalSourceType" in text and TRAINED in text


def mark(file: Path, number: int) -> bool:
    with Image.open(io.BytesIO(file.read_bytes())) as picture:
        return watermark.read(picture) == number


def second(files: list[Path]) -> list[bool]:
    """What the second implementation says of each."""
    valid: list[bool] = []
    for at in range(0, len(files), BATCH):
        names = [str(file) for file in files[at : at + BATCH]]
        ran = subprocess.run(["node", str(SECOND / "verify.mjs"), *names], capture_output=True, text=True, check=True)
        valid += [json.loads(line)["valid"] for line in ran.stdout.splitlines()]
    return valid


def main() -> None:
    options = arguments(__doc__, jobs=(1000, 6, "jobs of one still"))
    table = Table(f"what {options.jobs} jobs publish, in {len(FORMATS)} formats")
    with folder() as place, house(place / "home", "engine.device=cpu", "engine.threads=1") as (made, client):
        began = time.monotonic()
        files = run(client, options.jobs)
        each = (time.monotonic() - began) / options.jobs
        with Image.open(files[0]) as picture:
            size = f"{picture.width} x {picture.height}"
        table.add("published", f"{len(files)}/{options.jobs}", f"{options.jobs}", f"{size}, {each:.2f} s a job")
        seen = [credentials(file) for file in files]
        number = identity.number((made.paths.signing / identity.CHAIN).read_bytes())
        rows = {
            "valid by the c2pa library": [valid for valid, _ in seen],
            f"{TRAINED} in the credentials": [says for _, says in seen],
            "IPTC mark in the XMP, read by Pillow": [xmp(file) for file in files],
            "the mark in the pixels is read": [mark(file, number) for file in files],
        }
        readable = [file for file in files if file.suffix != ".webp"]
        if shutil.which("node") and (SECOND / "node_modules").is_dir():
            rows["valid by @trustnxt/c2pa-ts (no WebP)"] = second(readable)
        for name, found in rows.items():
            table.add(name, f"{sum(found)}/{len(found)}", "" if "pixels" in name else f"{len(found)}")
        changed = second_opinion_on_changes(readable[0], place)
        table.add("one byte of the pixels changed: called valid", changed, "no")


def second_opinion_on_changes(file: Path, place: Path) -> str:
    """A check that calls everything valid would be none."""
    data = bytearray(file.read_bytes())
    data[-200] ^= 1
    other = place / f"changed{file.suffix}"
    other.write_bytes(data)
    found = [credentials(other)[0]]
    if (SECOND / "node_modules").is_dir():
        found += second([other])
    return "yes" if any(found) else "no"


if __name__ == "__main__":
    main()
