"""Parts of a model that come from elsewhere: another autoencoder for one picture, ControlNets beside the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import load_file

from tendred.engine.worker.load import Resident, settle_weights
from tendred.engine.worker.loop import Job, Part, in_short
from tendred.engine.worker.memory import ran_out
from tendred.errors import ModelRefused
from tendred.schema.weights import any_fingerprint, any_sha256, open_regular


@contextmanager
def own_parts(job: Job, resident: Resident) -> Generator[list[Any]]:
    """The order's ControlNets; and its autoencoder in the place of the model's own, which stands there again after."""
    wanted = {(part.path, part.sha256) for role, part in job.parts.items() if role.startswith(("vae", "controlnet"))}
    for key in set(resident.parts) - wanted:
        del resident.parts[key]
    nets = [
        _loaded(resident, use.model, job.parts[f"controlnet[{number}]"], f"control[{number}].model", _controlnet)
        for number, use in enumerate(job.still.control)
    ]
    own = getattr(resident.pipe, "vae", None)
    try:
        if job.still.vae is not None:
            resident.pipe.vae = _loaded(resident, job.still.vae.name, job.parts["vae"], "vae", _vae)
        yield nets
    finally:
        if job.still.vae is not None:
            resident.pipe.vae = own


Load = Callable[[Resident, Path], Any]


def _loaded(resident: Resident, name: str, part: Part, field: str, load: Load) -> Any:
    """It, from memory or from the disk. Raises ModelRefused; memory trouble goes through as it is."""
    key = part.path, part.sha256
    if key in resident.parts:
        return resident.parts[key]
    path = Path(part.path)
    try:
        with judged(path, part.sha256):
            made = _settled(load(resident, path), resident)
    except Exception as problem:
        if ran_out(problem):
            raise
        raise ModelRefused("part", path=field, name=name, reason="family", problem=in_short(problem)) from problem
    resident.parts[key] = made
    return made


@contextmanager
def judged(path: Path, sha256: str) -> Generator[None]:
    """Inside, a file or folder is read that hashes as it did when it was judged. Raises ValueError, OSError."""
    mark = any_fingerprint(path)
    if any_sha256(path) != sha256:
        raise ValueError("it changed since the request was judged")
    yield
    if any_fingerprint(path) != mark:
        raise ValueError("it changed while it was read")


def _settled(made: Any, resident: Resident) -> Any:
    """On the model's device, in its number format, in memory of its own (see load.settle_weights)."""
    if any(value.is_meta for value in (*made.parameters(), *made.buffers())):
        raise ValueError("some of its weights are not in it")
    wanted = getattr(torch, resident.dtype)
    if made.dtype != wanted:  # the library has its doubts about a cast that isn't needed, and logs them
        made = made.to(dtype=wanted)
    made = made.eval()
    if resident.device == "cpu":
        settle_weights([made])
        return made
    return made.to(resident.device)


def _vae(resident: Resident, path: Path) -> Any:
    """An autoencoder of the same kind as the model's own: another kind would decode noise."""
    own = getattr(resident.pipe, "vae", None)
    if own is None:
        raise ValueError(f"{resident.name} has no autoencoder")
    kind = type(own)
    if path.is_dir():
        _check_class(path, kind.__name__)
        made: Any = kind.from_pretrained(path, local_files_only=True, use_safetensors=True)
    else:
        made = kind.from_config(own.config)
        state = {
            key.removeprefix("first_stage_model.").removeprefix("vae."): value for key, value in load_file(path).items()
        }
        if "decoder.mid.block_1.norm1.weight" in state:
            from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

            state = convert_ldm_vae_checkpoint(state, dict(own.config))
        made.load_state_dict(state)
    for setting in ("latent_channels", "z_dim", "block_out_channels"):
        if len(_listed(made, setting)) != len(_listed(own, setting)) or (
            setting != "block_out_channels" and made.config.get(setting) != own.config.get(setting)
        ):
            raise ValueError(f"its {setting} is {made.config.get(setting)}, the model's {own.config.get(setting)}")
    return made


def _listed(module: Any, setting: str) -> list[Any]:
    value = module.config.get(setting)
    return list(value) if isinstance(value, list | tuple) else [value]


def _controlnet(resident: Resident, path: Path) -> Any:
    from tendred.schema.families import ABILITIES

    wanted = ABILITIES[type(resident.pipe).__name__].controlnet
    assert wanted is not None
    kind: Any = getattr(diffusers, wanted)
    if path.is_dir():
        _check_class(path, wanted)
        return _fitting(resident, kind.from_pretrained(path, local_files_only=True, use_safetensors=True))
    if not hasattr(kind, "from_unet") or not hasattr(resident.pipe, "unet"):
        raise ValueError("a single file is read for models with a UNet only; use a folder")
    # Its sizes are those of the model's own UNet, or it is not for this model.
    made = kind.from_unet(resident.pipe.unet, load_weights_from_unet=False)
    state = load_file(path)
    if any(key.startswith("control_model.") for key in state):
        from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

        state = convert_controlnet_checkpoint(state, dict(made.config))
    made.load_state_dict(state)
    return made


def _fitting(resident: Resident, made: Any) -> Any:
    """Sizes that differ would end in the middle of a picture, in torch's words."""
    own = getattr(resident.pipe, "unet", None) or getattr(resident.pipe, "transformer", None)
    for setting in ("cross_attention_dim", "block_out_channels", "in_channels", "joint_attention_dim"):
        one, other = made.config.get(setting), own.config.get(setting) if own is not None else None
        if one is not None and other is not None and _plain(one) != _plain(other):
            raise ValueError(f"its {setting} is {one}, the model's {other}")
    return made


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _check_class(path: Path, wanted: str) -> None:
    with open_regular(path / "config.json") as file:
        found = json.load(file).get("_class_name")
    if found != wanted:
        raise ValueError(f"it is {found}, and {wanted} is needed")
