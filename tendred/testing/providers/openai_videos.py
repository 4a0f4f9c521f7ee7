"""A server that speaks OpenAI's /v1/videos, with what SGLang-Diffusion and vLLM-Omni share (render service reference, 3)."""

from __future__ import annotations

from typing import Any, ClassVar

from tendred.testing.providers.clips import Wanted
from tendred.testing.providers.server import Answer, FakeProvider, Made
from tendred.testing.providers.validator import Asked

USD_PER_SECOND = "0.03"


class FakeOpenaiVideos(FakeProvider):
    """See server.FakeProvider. A submit with an Idempotency-Key that it knows is the same job."""

    provider: ClassVar[str] = "openai-videos"

    def answer(self, asked: Asked) -> Answer | Made:
        match asked.op:
            case "submit":
                return self._made(asked)
            case "list":
                newest = list(reversed(self.jobs.values()))
                return Answer(200, {"object": "list", "data": [self._told(job) for job in newest], "has_more": False})
            case "cancel":
                job = self.remembered(asked.groups["job"])
                if job is None or self.phase(job) in {"done", "failed"}:
                    return Answer(404 if job is None else 409, self.error(409, "it has ended"))
                job.ended, job.error = "failed", "cancelled"
                return Answer(202, self._told(job))
            case _:
                job = self.remembered(asked.groups["job"])
                return Answer(404, self.error(404, "")) if job is None else Answer(200, self._told(job))

    def taken(self, job: Made) -> Answer:
        return Answer(200, self._told(job), {"x-request-id": f"req_{len(self.requests)}"})

    def error(self, status: int, kind: str) -> Any:
        code = {422: "content_policy_violation"}.get(status) if kind in {"", "content_policy_violation"} else kind
        return {
            "error": {
                "message": kind or f"error {status}",
                "type": "invalid_request_error",
                "code": code,
                "param": None,
            }
        }

    def _made(self, asked: Asked) -> Made | Answer:
        key = asked.headers.get("idempotency-key")
        known = next((job for job in self.jobs.values() if key is not None and job.asked["key"] == key), None)
        if known is not None:
            return self.taken(known)
        body = asked.fields
        width, height = (int(side) for side in body.get("size", "1280x720").split("x"))
        audio = str(body.get("generate_sound", True)).lower() == "true"
        seconds, fps = int(body.get("seconds", 4)), str(body.get("fps", 24))
        wanted = Wanted(width, height, seconds, fps, audio, int(body.get("seed") or 0))
        reference: dict[str, str] = body.get("input_reference") or {}
        first = asked.files.get("input_reference") or reference.get("image_url")
        return self.make("videos", {**body, "key": key}, wanted, first)

    def _told(self, job: Made) -> dict[str, Any]:
        phase, body = self.phase(job), job.asked
        states = {"waiting": "queued", "rendering": "in_progress", "done": "completed"}
        told = {
            "id": job.id, "object": "video", "model": body.get("model"), "status": states.get(phase, phase),
            "progress": {"waiting": 0, "rendering": 50}.get(phase, 100), "created_at": int(job.created),
            "completed_at": int(job.created) if phase == "done" else None, "expires_at": None, "prompt": body["prompt"],
            "size": body.get("size"), "seconds": body.get("seconds"), "remixed_from_video_id": None,
            "error": {"code": job.error or "server_error", "message": job.error or "it failed"} if phase == "failed" else None,
        }  # fmt: skip
        if self.cost and phase == "done":
            mills = int(USD_PER_SECOND.partition(".")[2]) * job.wanted.seconds
            told["cost"] = {"currency": "USD", "amount": f"{mills // 100}.{mills % 100:02d}"}
        return told
