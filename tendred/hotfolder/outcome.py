"""What became of the jobs of a claim."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from tendred.errors import Cancelled, Internal, NotFound, TendredError
from tendred.hotfolder.desk import Desk
from tendred.hotfolder.parse import Parsed
from tendred.schema.asset import Asset, Receipt
from tendred.schema.error import ErrorInfo
from tendred.schema.job import Job

_PROMPT: Final = re.compile(r"(?:\[(\d+)\]\.)?prompt")
_NEAR: Final = 60


@dataclass(frozen=True)
class Row:
    """One job: the pictures that are there with their receipt, and the error if it wasn't all made."""

    index: int
    job_id: str
    prompt: str
    pictures: list[Asset]
    receipt: Receipt | None
    error: ErrorInfo | None


def pointed(told: ErrorInfo, rows: Parsed) -> ErrorInfo:
    """With the refused words in brackets (`detail.words`): who reads the reason as text sees no span."""
    span, row = told.detail.get("span"), _PROMPT.fullmatch(told.path or "")
    if span is None or row is None or not rows:
        return told
    prompt, (start, end) = rows[int(row[1] or 0)][0].prompt, span
    before, after = prompt[:start], prompt[end:]
    near = f"{'…' * (start > _NEAR)}{before[-_NEAR:]}[{prompt[start:end]}]{after[:_NEAR]}{'…' * (len(after) > _NEAR)}"
    return replace(told, detail={**told.detail, "words": " ".join(near.split())})


async def gather(desk: Desk, job_ids: list[str], prompts: list[str]) -> list[Row]:
    """Look at every job of a claim, in the order of the rows."""
    return [
        await _row(desk, index, job_id, prompt)
        for index, (job_id, prompt) in enumerate(zip(job_ids, prompts, strict=True))
    ]


async def _row(desk: Desk, index: int, job_id: str, prompt: str) -> Row:
    try:
        job = await desk.job(job_id)
    except NotFound as error:
        return Row(index, job_id, prompt, [], None, desk.tell(error))
    pictures, receipt = await _made(desk, job)
    return Row(index, job_id, prompt, pictures, receipt, _error(desk, job, pictures))


async def _made(desk: Desk, job: Job) -> tuple[list[Asset], Receipt | None]:
    """Pictures are delivered with their receipt or not at all; those that a person removed meanwhile aren't."""
    try:
        assets = [await desk.asset(asset_id) for asset_id in job.asset_ids]
        kept = [asset for asset in assets if asset.state == "kept"]
        receipt = await desk.receipt(kept[0].receipt_id) if kept else None
    except NotFound:
        return [], None
    return kept, receipt


def _error(desk: Desk, job: Job, pictures: list[Asset]) -> ErrorInfo | None:
    if job.state == "succeeded":
        return None if pictures else desk.tell(NotFound(noun="picture", name=", ".join(job.asset_ids)))
    other: TendredError = Cancelled() if job.state == "cancelled" else Internal()
    return job.error or desk.tell(other)
