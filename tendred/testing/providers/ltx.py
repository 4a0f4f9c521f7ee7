"""LTX's own API, version 2, as its documents have it (reference, section 1)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tendred.testing.providers.clips import Wanted
from tendred.testing.providers.server import Answer, FakeProvider, Made
from tendred.testing.providers.validator import Asked

KINDS: Final = {
    400: "invalid_request_error", 401: "authentication_error", 402: "insufficient_funds_error", 404: "not_found_error",
    413: "request_too_large", 422: "content_filtered_error", 429: "rate_limit_error", 500: "api_error",
    503: "service_unavailable", 504: "timeout", 529: "overloaded_error",
}  # fmt: skip
WORDS: Final = {"insufficient_funds_error": "Insufficient funds. Required: 120 credits"}


class FakeLtx(FakeProvider):
    """See server.FakeProvider."""

    provider: ClassVar[str] = "ltx"

    def answer(self, asked: Asked) -> Answer | Made:
        match asked.op:
            case "submit":
                return self._made(asked)
            case "upload":
                name = f"upload{len(self.uploads)}"
                self.uploads[name] = b""
                place = {
                    "upload_url": f"{self.storage}/uploads/{name}?signature={self.signature}",
                    "storage_uri": f"ltx://uploads/{name}",
                    "expires_at": "2099-01-01T00:00:00Z",
                    "required_headers": {"x-goog-content-length-range": "0,104857600"},
                }
                return Answer(200, place, self._request())
            case "put":
                self.uploads[asked.groups["job"]] = asked.data
                return Answer(200, {})
            case _:
                return self._state(asked)

    def taken(self, job: Made) -> Answer:
        return Answer(202, {"id": job.id, "created_at": self.created(job)}, self._request())

    def error(self, status: int, kind: str) -> Any:
        kind = {"invalid": "invalid_request_error", "concurrency": "concurrency_limit_error"}.get(kind, kind)
        kind = kind or KINDS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": WORDS.get(kind, kind.replace("_", " "))}}

    def _made(self, asked: Asked) -> Made | Answer:
        body = asked.fields
        width, height = (int(side) for side in body["resolution"].split("x"))
        wanted = Wanted(width, height, body["duration"], str(body.get("fps", 24)), body.get("generate_audio", True))
        first = body.get("image_uri")
        if first is not None and first.startswith("ltx://") and not self.picture(first):
            return Answer(400, self.error(400, ""), self._request())
        return self.make(asked.path.rpartition("/")[2], body, wanted, first)

    def _state(self, asked: Asked) -> Answer:
        job = self.remembered(asked.groups["job"])
        if job is None or job.endpoint != asked.groups["endpoint"]:
            return Answer(404, self.error(404, ""), self._request())
        phase = self.phase(job)
        told: dict[str, Any] = {"id": job.id, "created_at": self.created(job)}
        match phase:
            case "waiting" | "rendering":
                told["status"] = {"waiting": "pending", "rendering": "processing"}[phase]
            case "done":
                told |= {"status": "completed", "completed_at": self.created(job)}
                told["result"] = {"video_url": f"{self.storage}/clips/{job.id}.mp4?signature={self.signature}"}
            case "failed":
                told |= {"status": "failed", "completed_at": self.created(job)}
                told["error"] = self.error(500, job.error)["error"]
            case other:
                told["status"] = other
        return Answer(200, told, self._request())

    def _request(self) -> dict[str, str]:
        return {"x-request-id": f"req_{len(self.requests)}"}
