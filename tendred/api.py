"""All that a plugin may import: the hook marker, the records that hooks get, and the errors.

Version 1.0 of the plugin API; names here are only ever added. See `tendred.hooks.spec` for the hooks.
"""

from tendred.backend import Adapter, Download
from tendred.config.secret import Secret
from tendred.errors import (
    CredentialsMissing,
    InsufficientFunds,
    NotSent,
    OutcomeUnknown,
    ProviderFiltered,
    ProviderRefused,
    ProviderUnavailable,
    ResultExpired,
    SlowDown,
    TendredError,
)
from tendred.hooks.context import AskKey, Context
from tendred.hooks.manager import API
from tendred.hooks.spec import Hooks, hookimpl
from tendred.schema.asset import Asset, Made, Receipt
from tendred.schema.provider import Accepted, CancelTruth, ClipOrder, Features, ProviderModel, RemoteState, Size
from tendred.schema.still import Amendment, LoraUse, StillRequest

__all__ = [
    "API",
    "Accepted",
    "Adapter",
    "Amendment",
    "AskKey",
    "Asset",
    "CancelTruth",
    "ClipOrder",
    "Context",
    "CredentialsMissing",
    "Download",
    "Features",
    "Hooks",
    "InsufficientFunds",
    "LoraUse",
    "Made",
    "NotSent",
    "OutcomeUnknown",
    "ProviderFiltered",
    "ProviderModel",
    "ProviderRefused",
    "ProviderUnavailable",
    "Receipt",
    "RemoteState",
    "ResultExpired",
    "Secret",
    "Size",
    "SlowDown",
    "StillRequest",
    "TendredError",
    "hookimpl",
]
