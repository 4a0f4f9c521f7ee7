"""fal's queue, as its documents have it (reference, section 2)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tendred.testing.providers.clips import Wanted
from tendred.testing.providers.server import Answer, FakeProvider, Made, size_of
from tendred.testing.providers.validator import Asked

ERRORS: Final = {
    503: "runner_scheduling_failure",
    504: "request_timeout",
    500: "internal_error",
    502: "runner_incomplete_response",
}


class FakeFal(FakeProvider):
    """See server.FakeProvider. Its storage service answers at the API's address, its CDN at the storage's."""

    provider: ClassVar[str] = "fal"
    scheme: ClassVar[str] = "Key"

    def answer(self, asked: Asked) -> Answer | Made:
        match asked.op:
            case "submit":
                body = asked.fields
                width, height = size_of(body.get("resolution", "1080p"), body.get("aspect_ratio", "16:9"))
                fps, audio = str(body.get("fps", 25)), body.get("generate_audio", True)
                wanted = Wanted(width, height, body.get("duration", 6), fps, audio)
                return self.make(asked.path, body, wanted, body.get("image_url"))
            case "upload":
                return Answer(
                    200,
                    {
                        "token": "cdn-token",
                        "token_type": "CDN",
                        "base_url": self.storage,
                        "expires_at": "2099-01-01T00:00:00Z",
                    },
                )
            case "put":
                name = f"upload{len(self.uploads)}"
                self.uploads[name] = asked.data
                return Answer(200, {"access_url": f"{self.storage}/files/{name}"})
            case "cancel":
                return self._cancel(asked)
            case "result":
                return self._result(asked)
            case _:
                return self._state(asked)

    def taken(self, job: Made) -> Answer:
        base = f"{self.api}/fal-ai/ltx-2.3/requests/{job.id}"
        told = {
            "status": "IN_QUEUE", "request_id": job.id, "queue_position": 0, "response_url": base,
            "status_url": f"{base}/status", "cancel_url": f"{base}/cancel",
        }  # fmt: skip
        return Answer(200, told, {"x-fal-request-id": job.id})

    def error(self, status: int, kind: str) -> Any:
        if status in ERRORS:
            return {"detail": kind or "The service is unavailable", "error_type": kind or ERRORS[status]}
        if status == 422:  # noqa: PLR2004
            kind = {"": "content_policy_violation", "invalid": "value_error"}.get(kind, kind)
            return {
                "detail": [
                    {
                        "loc": ["body", "prompt"],
                        "msg": kind.replace("_", " "),
                        "type": kind,
                        "ctx": dict[str, str](),
                        "input": "x",
                    }
                ]
            }
        return {"detail": kind or {401: "No user found", 404: "Request not found"}.get(status, "bad request")}

    def _state(self, asked: Asked) -> Answer:
        job = self.remembered(asked.groups["job"])
        if job is None:
            return Answer(404, self.error(404, ""))
        phase = self.phase(job)
        told: dict[str, Any] = {"request_id": job.id}
        match phase:
            case "waiting":
                return Answer(202, {**told, "status": "IN_QUEUE", "queue_position": 0})
            case "rendering":
                return Answer(202, {**told, "status": "IN_PROGRESS", "logs": None})
            case "done" | "failed":
                return Answer(200, {**told, "status": "COMPLETED", "metrics": {"inference_time": 1.0}})
            case other:
                return Answer(202, {**told, "status": other})

    def _result(self, asked: Asked) -> Answer:
        job = self.remembered(asked.groups["job"])
        phase = "" if job is None else self.phase(job)
        if job is not None and phase == "failed":
            status = 500 if job.error in ERRORS.values() else 422
            return Answer(status, self.error(status, job.error))
        if job is None or phase != "done":
            return Answer(400 if job else 404, self.error(400 if job else 404, ""))
        url, wanted = f"{self.storage}/clips/{job.id}.mp4", job.wanted
        size = 0 if job.file is None else len(job.file.data)
        video = {
            "url": url, "content_type": "video/mp4", "file_name": f"{job.id}.mp4", "file_size": size, "width": wanted.width,
            "height": wanted.height, "fps": float(wanted.fps), "duration": float(wanted.seconds), "num_frames": wanted.frames,
        }  # fmt: skip
        return Answer(200, {"video": video})

    def _cancel(self, asked: Asked) -> Answer:
        job = self.remembered(asked.groups["job"])
        if job is None:
            return Answer(404, {"status": "NOT_FOUND"})
        phase = self.phase(job)
        if phase == "waiting":
            job.ended, job.error = "failed", "client_cancelled"
            return Answer(200, {"status": "OK"})
        if phase == "rendering":
            return Answer(202, {"status": "CANCELLATION_REQUESTED"})
        return Answer(400, {"status": "ALREADY_COMPLETED"})
