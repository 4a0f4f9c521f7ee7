"""Every failure a door can answer with: one class per kind, append-only (the registry of WIRE.md).

A class carries its stable `kind` and JSON-RPC `code`. The words live in `locale/<lang>.toml`, under
`[kind]` or, where one kind has several causes, `[kind.variant]`; both give `message` and may give `next`,
what to do about it. Clients switch on `kind`, people read the words.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import ClassVar, Final, cast

LANGUAGES: Final = ("en", "fr")
_NOTHING_NEAR: Final = re.compile(r"(?:\s*(?:[.;,]|\bor\b|\bou\b)[^.;,:()]*)?\s*:$")
"""The clause that would name what is near, where nothing is."""


class TendredError(Exception):
    """A failure with a name. `variant` picks the words, `path` names the field, the rest is `detail`."""

    kind: ClassVar[str] = "internal"
    code: ClassVar[int] = -32603

    def __init__(self, variant: str = "", /, *, path: str | None = None, **detail: object) -> None:
        super().__init__(variant)
        self.variant = variant
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.kind}: {describe(self)[0]}"


class ParseError(TendredError):
    kind, code = "parse_error", -32700


class InvalidRequest(TendredError):
    kind, code = "invalid_request", -32600


class MethodNotFound(TendredError):
    kind, code = "method_not_found", -32601


class InvalidParams(TendredError):
    kind, code = "invalid_params", -32602


class Internal(TendredError):
    kind, code = "internal", -32603


class BoundaryRefused(TendredError):
    kind, code = "boundary_refused", 1001


class OutputWithheld(TendredError):
    kind, code = "output_withheld", 1002


class StillNotOurs(TendredError):
    kind, code = "still_not_ours", 1003


class NotFound(TendredError):
    kind, code = "not_found", 1010


class IdempotencyConflict(TendredError):
    kind, code = "idempotency_conflict", 1011


class TooLarge(TendredError):
    kind, code = "too_large", 1012


class NotPermitted(TendredError):
    kind, code = "not_permitted", 1013


class SlowDown(TendredError):
    kind, code = "slow_down", 1014


class NeedsSocket(TendredError):
    kind, code = "needs_socket", 1015


class EventsGone(TendredError):
    kind, code = "events_gone", 1016


class ShuttingDown(TendredError):
    kind, code = "shutting_down", 1017


class WrongState(TendredError):
    kind, code = "wrong_state", 1018


class QueueFull(TendredError):
    kind, code = "queue_full", 1101


class ModelMissing(TendredError):
    kind, code = "model_missing", 1102


class ModelRefused(TendredError):
    kind, code = "model_refused", 1103


class UnsupportedParameter(TendredError):
    kind, code = "unsupported_parameter", 1104


class EngineMissing(TendredError):
    kind, code = "engine_missing", 1105


class EngineDied(TendredError):
    kind, code = "engine_died", 1106


class OutOfMemory(TendredError):
    kind, code = "out_of_memory", 1107


class DiskFull(TendredError):
    kind, code = "disk_full", 1108


class FolderUnwritable(TendredError):
    kind, code = "folder_unwritable", 1109


class SignerBroken(TendredError):
    kind, code = "signer_broken", 1110


class FileUnreadable(TendredError):
    kind, code = "file_unreadable", 1121


class ModelInUse(TendredError):
    kind, code = "model_in_use", 1120


class CloudOff(TendredError):
    kind, code = "cloud_off", 1201


class CredentialsMissing(TendredError):
    kind, code = "credentials_missing", 1202


class KeyringUnavailable(TendredError):
    kind, code = "keyring_unavailable", 1203


class PricesMissing(TendredError):
    kind, code = "prices_missing", 1204


class PricesStale(TendredError):
    kind, code = "prices_stale", 1205


class NotOffered(TendredError):
    kind, code = "not_offered", 1206


class QuoteExpired(TendredError):
    kind, code = "quote_expired", 1207


class QuoteUsed(TendredError):
    kind, code = "quote_used", 1208


class QuoteMismatch(TendredError):
    kind, code = "quote_mismatch", 1209


class ConsentRequired(TendredError):
    kind, code = "consent_required", 1210


class CapExceeded(TendredError):
    kind, code = "cap_exceeded", 1211


class ProviderRefused(TendredError):
    kind, code = "provider_refused", 1212


class ProviderFiltered(TendredError):
    kind, code = "provider_filtered", 1213


class ProviderUnavailable(TendredError):
    kind, code = "provider_unavailable", 1214


class InsufficientFunds(TendredError):
    kind, code = "insufficient_funds", 1215


class OutcomeUnknown(TendredError):
    kind, code = "outcome_unknown", 1216


class ResultExpired(TendredError):
    kind, code = "result_expired", 1217


class NotSent(TendredError):
    kind, code = "not_sent", 1218


class ClipUnreadable(TendredError):
    kind, code = "clip_unreadable", 1230


# The guard's answers: HTTP statuses, never JSON-RPC errors (WIRE, Transport), so `code` is the status.
class Unauthorized(TendredError):
    kind, code = "unauthorized", 401


class OriginRefused(TendredError):
    kind, code = "origin_refused", 403


class WrongType(TendredError):
    kind, code = "wrong_type", 415


class HostRefused(TendredError):
    kind, code = "host_refused", 421


# Raised before there is a door: they end the process with words and an exit code.
class ConfigBroken(TendredError):
    kind, code = "config_broken", 2


class AlreadyRunning(TendredError):
    kind, code = "already_running", 2


class PortInUse(TendredError):
    kind, code = "port_in_use", 2


class StoreBroken(TendredError):
    kind, code = "store_broken", 2


class BackupBroken(TendredError):
    kind, code = "backup_broken", 1


class NoDaemon(TendredError):
    kind, code = "no_daemon", 3


class Cancelled(TendredError):
    """Raised on the road, by a backend that stopped because it was told to; becomes a state, never an error."""

    kind, code = "cancelled", 5


def registry() -> dict[str, type[TendredError]]:
    """Every kind by name."""
    return {cls.kind: cls for cls in TendredError.__subclasses__()}


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(lang: str) -> dict[str, dict[str, object]]:
    """The words of one language: `{kind: {message, next, variant: {message, next}}}`."""
    text = resources.files("tendred.locale").joinpath(f"{lang}.toml").read_text("utf-8")
    return tomllib.loads(text)


class _Blank(dict[str, object]):
    """A placeholder nobody filled shows as nothing rather than raising while an error is being told."""

    def __missing__(self, key: str) -> str:
        return ""


def describe(error: TendredError, lang: str = "en") -> tuple[str, str]:
    """`(message, next)` of an error in a language; an unknown language is English."""
    table = catalogue(lang if lang in LANGUAGES else "en")
    entry = table[error.kind]
    variant = entry.get(error.variant) if error.variant else None
    words: dict[str, object] = {**entry, **variant} if isinstance(variant, dict) else entry
    fields = _Blank(error.detail)
    near = cast("list[object]", error.detail.get("near") or [])
    fields["near"] = ", ".join(str(name) for name in near)
    fields["path"] = error.path or ""
    message, step = (str(words[part]).format_map(fields).strip() for part in ("message", "next"))
    return message, step if near else _NOTHING_NEAR.sub(".", step)
