"""The device that draws: which, with how many threads, in which number format, with how much memory."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from tendred.errors import EngineMissing


def pick(asked: str) -> str:
    """`auto` takes CUDA (or ROCm, which answers to the same name), then Apple's GPU, then the CPU.

    Raises EngineMissing when the device that was asked for by name isn't there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if asked == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    kind, _, number = asked.partition(":")
    there = {"cpu": True, "mps": mps, "cuda": cuda and int(number or 0) < torch.cuda.device_count()}
    if not there.get(kind, False):
        raise EngineMissing(problem=f"there is no device {asked}")
    return asked


def settle(threads: int) -> int:
    """Pin the thread count and switch on what makes runs repeatable where it costs nothing. Returns the count."""
    torch.set_num_threads(threads or min(_cores(), torch.get_num_threads()))
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.get_num_threads()


def number_format(device: str, *, unet: bool) -> torch.dtype:
    """Half precision on a GPU (bfloat16 for transformers, which overflow float16), float32 on a CPU."""
    if device == "cpu":
        return torch.float32
    bfloat16 = not unet and (not device.startswith("cuda") or torch.cuda.is_bf16_supported())
    return torch.bfloat16 if bfloat16 else torch.float16


def number_formats(device: str) -> dict[str, str]:
    """`number_format` by kind of model, in words."""
    kinds = {"unet": True, "transformer": False}
    return {kind: str(number_format(device, unet=unet)).removeprefix("torch.") for kind, unet in kinds.items()}


def hardware(device: str) -> str:
    """The chips that calculate, by name: others may round otherwise. The CPU counts always: it draws the noise."""
    cpu = f"{_processor()} ({torch.backends.cpu.get_cpu_capability()})"
    return f"{torch.cuda.get_device_name(device)}, {cpu}" if device.startswith("cuda") else cpu


def libraries() -> dict[str, str]:
    """Versions of what calculates besides torch and diffusers."""
    found: dict[str, str] = {}
    for name in ("numpy", "peft", "tokenizers", "transformers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def free_bytes(device: str) -> int:
    """Memory that is free there, in bytes; 0 where nobody can tell."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)


def tidy(device: str) -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def modules(pipe: Any) -> list[torch.nn.Module]:
    """The parts of a pipeline that hold weights."""
    return [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
