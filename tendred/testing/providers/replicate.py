"""Replicate's predictions, as its documents have them (reference, section 3)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tendred.testing.providers.clips import Wanted
from tendred.testing.providers.server import Answer, FakeProvider, Made, size_of
from tendred.testing.providers.validator import Asked

PAGE: Final = 100
TOO_MANY: Final = 429


class FakeReplicate(FakeProvider):
    """See server.FakeProvider."""

    provider: ClassVar[str] = "replicate"

    def answer(self, asked: Asked) -> Answer | Made:
        match asked.op:
            case "submit":
                body = asked.fields["input"]
                width, height = size_of(body.get("resolution", "1080p"), body.get("aspect_ratio", "16:9"))
                fps, audio = str(body.get("fps", 25)), body.get("generate_audio", True)
                wanted = Wanted(width, height, body.get("duration", 6), fps, audio)
                endpoint = asked.path.removeprefix("/v1/models/").removesuffix("/predictions")
                return self.make(endpoint, body, wanted, body.get("image"))
            case "upload":
                name = f"upload{len(self.uploads)}"
                self.uploads[name] = asked.files["content"]
                told = {
                    "id": name,
                    "urls": {"get": f"{self.storage}/v1/files/{name}"},
                    "expires_at": "2099-01-01T00:00:00Z",
                }
                return Answer(201, told)
            case "list":
                return self._list(asked)
            case _:
                return self._one(asked)

    def taken(self, job: Made) -> Answer:
        return Answer(201, self._told(job))

    def error(self, status: int, kind: str) -> Any:
        titles = {401: "Unauthenticated", 402: "Insufficient credit", 404: "Not found", 422: "Input validation failed"}
        detail = (
            "Request was throttled. Your rate limit resets in ~30s."
            if status == TOO_MANY
            else kind or titles.get(status, "Error")
        )
        return {"type": "about:blank", "title": titles.get(status, "Error"), "status": status, "detail": detail}

    def _one(self, asked: Asked) -> Answer:
        job = self.remembered(asked.groups["job"])
        if job is None:
            kept = self.jobs.get(asked.groups["job"])
            # Its record stays; what it holds is removed.
            gone: dict[str, Any] = {"output": None, "input": {}, "data_removed": True, "status": "succeeded"}
            return Answer(404, self.error(404, "")) if kept is None else Answer(200, {**self._told(kept), **gone})
        if asked.op == "cancel" and self.phase(job) in {"waiting", "rendering"}:
            job.ended = "aborted" if self.phase(job) == "waiting" else "canceled"
        return Answer(200, self._told(job))

    def _list(self, asked: Asked) -> Answer:
        start = int(asked.query.get("cursor", "0"))
        newest = list(reversed(self.jobs.values()))
        more = f"{self.api}/v1/predictions?cursor={start + PAGE}" if len(newest) > start + PAGE else None
        return Answer(
            200, {"previous": None, "next": more, "results": [self._told(job) for job in newest[start : start + PAGE]]}
        )

    def _told(self, job: Made) -> dict[str, Any]:
        phase = self.phase(job)
        states = {"waiting": "starting", "rendering": "processing", "done": "succeeded"}
        url = f"{self.api}/v1/predictions/{job.id}"
        return {
            "id": job.id, "model": job.endpoint, "version": "hidden", "input": job.asked, "logs": "",
            "status": states.get(phase, phase), "created_at": self.created(job),
            "output": f"{self.storage}/clips/{job.id}.mp4" if phase == "done" else None,
            "error": f"E1000 {job.error}" if phase == "failed" else None,
            "urls": {"get": url, "cancel": f"{url}/cancel"},
        }  # fmt: skip
