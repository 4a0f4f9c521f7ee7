"""LoRAs on a model in memory: as adapters beside its weights, never fused into them, so that the base stays itself.

The library passes over what it doesn't know without a word; here every value of a file has to arrive, or none does.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.utils import USE_PEFT_BACKEND

from tendred.engine.worker import device as devices
from tendred.engine.worker.load import Resident
from tendred.engine.worker.loop import Lora, in_short
from tendred.engine.worker.memory import ran_out
from tendred.errors import EngineMissing, ModelRefused, UnsupportedParameter
from tendred.schema.weights import file_fingerprint, file_sha256

_HALVES: Final = ("lora_A", "lora_B")


def wear(resident: Resident, wanted: list[Lora]) -> None:
    """Have exactly these LoRAs on the model; none leaves the base, bit for bit.

    Raises ModelRefused, UnsupportedParameter or EngineMissing, and lets memory trouble through; then none is on it.
    """
    files = [(lora.name, lora.path, lora.sha256) for lora in wanted]
    try:
        if resident.worn != files:
            take_off(resident)
            for number, lora in enumerate(wanted):
                _put_on(resident, lora, _adapter(number))
            resident.worn = files
        if wanted:
            weights = [lora.weight for lora in wanted]
            resident.pipe.set_adapters([_adapter(number) for number in range(len(wanted))], weights)
    except BaseException:
        take_off(resident)
        raise


def take_off(resident: Resident) -> None:
    """Back to the base: the layers that stood there before, not new ones with the same values."""
    if USE_PEFT_BACKEND and hasattr(resident.pipe, "unload_lora_weights"):
        resident.pipe.unload_lora_weights()
    resident.worn = []


def _adapter(number: int) -> str:
    """A name for the library, which takes dots in one for steps of a path."""
    return f"lora_{number}"


def _put_on(resident: Resident, lora: Lora, adapter: str) -> None:
    if not hasattr(resident.pipe, "load_lora_weights"):
        raise UnsupportedParameter(path="loras", model=resident.name)
    if not USE_PEFT_BACKEND:
        raise EngineMissing(problem="peft can't be imported, and LoRAs need it")
    mark = _verify(lora)
    try:
        expected = _load(resident.pipe, Path(lora.path), adapter)
    except Exception as problem:
        if ran_out(problem):
            raise
        raise _refused(lora, "family", in_short(problem)) from problem
    arrived = _settle(resident, adapter)
    if arrived != expected:
        raise _refused(lora, "family", f"{arrived} of its {expected} tensors have a place in {resident.name}")
    if not all(bool(torch.isfinite(value).all()) for value in _values(resident.pipe, adapter)):
        raise _refused(lora, "header", "it holds numbers that are none")
    # Read and copied by now: whatever was exchanged between the hash and here shows.
    if _mark(lora) != mark:
        raise _refused(lora, "header", "it changed since the request was judged")


def _load(pipe: Any, file: Path, adapter: str) -> int:
    """Load it beside the weights. Returns how many tensors should have arrived."""
    source: dict[str, Any] = {
        "pretrained_model_name_or_path_or_dict": str(file.parent), "weight_name": file.name, "use_safetensors": True,
        "local_files_only": True,
    }  # fmt: skip
    # Without the memory trick the library first fills the layers with chance, which would stay where a file is short.
    with _read_by(pipe) as read, warnings.catch_warnings():
        # peft wonders at every second adapter; several at once is what we want.
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        pipe.load_lora_weights(**source, adapter_name=adapter, low_cpu_mem_usage=True)
    return sum(1 for key in read if not key.endswith(".alpha"))


@contextmanager
def _read_by(pipe: Any) -> Generator[list[str]]:
    """The names of what the library reads of a file while inside: to ask it by itself would be to read all of it twice."""
    own, names = pipe.lora_state_dict, list[str]()

    def read(*values: Any, **named: Any) -> Any:
        said = own(*values, **named)
        # Now: what finds its place is taken out of it.
        names.extend(said[0] if isinstance(said, tuple) else said)
        return said

    pipe.lora_state_dict = read
    try:
        yield names
    finally:
        del pipe.lora_state_dict


def _settle(resident: Resident, adapter: str) -> int:
    """Give the adapter's values the base's number format and memory of their own (see load). Returns how many."""
    count = 0
    dtype = getattr(torch, resident.dtype)
    for value in _values(resident.pipe, adapter):
        if value.is_meta:
            continue  # a place that the file says nothing for; the count will tell
        value.data = value.data.to(device=resident.device, dtype=dtype, copy=True)
        count += 1
    for module in devices.modules(resident.pipe):
        # What is new in it was made for training: dropout would draw by chance.
        module.eval()
    return count


def _values(pipe: Any, adapter: str) -> Iterator[torch.nn.Parameter]:
    """The adapter's parameters, in whatever part of the pipeline."""
    for module in devices.modules(pipe):
        for name, value in module.named_parameters():
            steps = name.split(".")
            if adapter in steps and not set(_HALVES).isdisjoint(steps):
                yield value


def _verify(lora: Lora) -> str:
    """The file's fingerprint, if it is the one that the request was judged with."""
    mark = _mark(lora)
    try:
        found = file_sha256(Path(lora.path))
    except (OSError, ValueError) as problem:
        raise _refused(lora, "header", in_short(problem)) from problem
    if found != lora.sha256:
        raise _refused(lora, "header", "it changed since the request was judged")
    return mark


def _mark(lora: Lora) -> str:
    try:
        return file_fingerprint(Path(lora.path))
    except (OSError, ValueError) as problem:
        raise _refused(lora, "header", in_short(problem)) from problem


def _refused(lora: Lora, reason: str, problem: str) -> ModelRefused:
    return ModelRefused("lora", path="loras", name=lora.name, reason=reason, problem=problem)
