"""All that a plugin may import: the hook marker, the records that hooks get, and the errors.

Version 1.0 of the plugin API; names here are only ever added. See `tendred.hooks.spec` for the hooks.
"""

from tendred.errors import TendredError
from tendred.hooks.context import Context
from tendred.hooks.manager import API
from tendred.hooks.spec import Hooks, hookimpl
from tendred.schema.asset import Asset, Made, Receipt
from tendred.schema.still import Amendment, LoraUse, StillRequest

__all__ = [
    "API",
    "Amendment",
    "Asset",
    "Context",
    "Hooks",
    "LoraUse",
    "Made",
    "Receipt",
    "StillRequest",
    "TendredError",
    "hookimpl",
]
