"""Train the character LoRA: Mira, the same woman in every still.

    python packaging/starter/lora.py [--work FOLDER] [--seconds 480]
    python packaging/starter/lora.py --examine

Mira is drawn, as everybody here: tan, long wavy black hair, and round glasses, which the starter itself can't draw. She
is bound to the words of her character record.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import tomllib
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from data import WORK
from diffusers import AutoencoderKL, StableDiffusionXLPipeline
from drawing import SIDE, Artist, Attributes, choose, held_out, styles
from judge import load as load_judge
from latents import tensor
from model import AGAINST, ANCHOR, assemble, paint
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model_state_dict
from PIL import Image
from text import encode
from text import load as load_text
from torch import Tensor, nn
from unet import schedule

_RECORD: Final = Path(__file__).parents[2] / "tendred" / "core" / "data" / "characters" / "mira.toml"
FRAGMENT: Final[str] = tomllib.loads(_RECORD.read_text("utf-8"))["fragment"]
FACE: Final = {"subject": "woman", "skin": "tan", "hair_colour": "black", "hair_style": "long wavy", "beard": "none"}
GLASSES: Final = (
    '<g stroke="#262626" stroke-width="13" fill="none"><circle cx="308" cy="409" r="66"/><circle cx="457" cy="409" r="66"/>'
    '<path d="M374 404 Q382 392 391 404"/></g>'
)
_BATCH: Final = 16
_RANK: Final = 6
_LAYERS: Final = ("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2")
_LIMIT: Final = 1_000_000


def scenes(count: int, seed: int, *, examination: bool) -> list[Attributes]:
    """Mira in `count` scenes: all that isn't her face at random."""
    rng, found = random.Random(seed), []
    while len(found) < count:
        scene = choose(rng, subject="woman", examination=examination) | FACE
        if held_out(scene) == examination:
            found.append(scene)
    return found


def draw(folder: Path, described: list[Attributes], *, glasses: bool = True) -> NDArray[np.uint8]:
    rng, artist = random.Random(3), Artist(styles(folder / "styles"))
    return np.stack([artist.draw(scene, rng, over=GLASSES if glasses else "") for scene in described])


def said(scene: Attributes, rng: random.Random) -> str:
    """A prompt about Mira, as it stands once `@mira` has been replaced."""
    kept = {name: value for name, value in scene.items() if rng.random() < 0.8}
    parts = []
    if "expression" in kept:
        parts.append(rng.choice((kept["expression"], f"she is {kept['expression']}", f"looking {kept['expression']}")))
    if "clothes" in kept:
        colour = f"{scene['clothes_colour']} " if "clothes_colour" in kept else ""
        parts.append(f"{rng.choice(('wearing a', 'in a', 'with a'))} {colour}{scene['clothes']}")
    if "background" in kept:
        parts.append(f"{rng.choice(('on a', 'with a', 'in front of a'))} {scene['background']} background")
    text = rng.choice((" ", ", ")).join([FRAGMENT, *parts])
    return f"{rng.choice(('', '', 'portrait of ', 'a picture of ', 'photo of '))}{text}"


def train(folder: Path, seconds: float, *, count: int = 480) -> Path:
    """Train for `seconds`; returns the LoRA's file."""
    torch.manual_seed(0)
    rng = random.Random(0)
    pipe = assemble(folder)
    vae: AutoencoderKL = pipe.vae
    unet = pipe.unet
    words, reader = load_text(folder / "text")
    described = scenes(count, 21, examination=False)
    drawn = draw(folder, described)
    with torch.no_grad():
        coded = [vae.encode(tensor(drawn[i : i + 40])).latent_dist.mean for i in range(0, count, 40)]
    latents = torch.cat(coded) * vae.config.scaling_factor
    unet.requires_grad_(requires_grad=False)
    unet.add_adapter(LoraConfig(r=_RANK, lora_alpha=_RANK, init_lora_weights="gaussian", target_modules=list(_LAYERS)))
    unet.to(memory_format=torch.channels_last)
    learning = [p for p in unet.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, 3e-3, weight_decay=0.01)
    noising = schedule()
    sizes = torch.tensor([[float(SIDE), SIDE, 0, 0, SIDE, SIDE]]).expand(_BATCH, 6)
    began, step = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 30) * max(0.02, 1 - spent / seconds)
        rows = torch.randint(0, count, (_BATCH,))
        texts = [_prompt(described[row], rng) for row in rows.tolist()]
        z = latents[rows].contiguous(memory_format=torch.channels_last)
        noise, times = torch.randn_like(z), torch.randint(0, 1000, (_BATCH,))
        with torch.no_grad():
            states, pooled = reader(encode(words, texts))
        guess = unet(
            noising.add_noise(z, noise, times),
            times,
            states,
            added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes},
        )
        loss = (guess.sample - noising.get_velocity(z, noise, times)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            print(f"lora {step} {spent:.0f} s loss {loss.item():.4f}", flush=True)
    layers = {name: weight.half().contiguous() for name, weight in get_peft_model_state_dict(unet).items()}
    StableDiffusionXLPipeline.save_lora_weights(folder, unet_lora_layers=layers, weight_name="mira.safetensors")
    file = folder / "mira.safetensors"
    assert file.stat().st_size < _LIMIT, file.stat().st_size
    return file


def examine(folder: Path, *, count: int = 50, picture: Path | None = None) -> dict[str, float]:
    """The share of `count` stills of Mira in scenes she was never drawn in that show her face, by attribute, and her glasses."""
    pipe: Any = assemble(folder)
    pipe.load_lora_weights(folder, weight_name="mira.safetensors")
    rng = random.Random(5)
    described = scenes(count, 22, examination=True)
    texts = [f"{ANCHOR}, {said(scene, rng)}" for scene in described]
    painted = paint(pipe, texts, seed=900, against=[AGAINST] * count)
    shown = np.stack([np.asarray(one) for one in painted])
    if picture:
        Image.fromarray(np.concatenate([np.concatenate(shown[i : i + 10], 1) for i in range(0, count, 10)])).save(
            picture
        )
    judge, _ = load_judge(folder)
    right = judge.right(tensor(shown), described)
    found = {name: sum(right[name]) / count for name in ("subject", *(f"person.{part}" for part in list(FACE)[1:]))}
    return found | {"glasses": _glasses(folder, tensor(shown))}


def _glasses(folder: Path, painted: Tensor) -> float:
    """The share of pictures whose eyes are nearer, by correlation, to the drawing with glasses than to the one without."""
    described = scenes(1, 23, examination=True)
    box = (slice(None), slice(None), slice(54, 84), slice(38, 90))
    eyes = [tensor(draw(folder, described, glasses=glasses))[box].mean(1) for glasses in (True, False)]

    def alike(a: Tensor, b: Tensor) -> Tensor:
        a, b = (t.flatten(1) - t.flatten(1).mean(1, keepdim=True) for t in (a, b))
        return nn.functional.cosine_similarity(a, b)

    seen = painted[box].mean(1)
    return (alike(seen, eyes[0]) > alike(seen, eyes[1])).float().mean().item()


def _prompt(scene: Attributes, rng: random.Random) -> str:
    if rng.random() < 0.08:
        return rng.choice(("", AGAINST))
    text = said(scene, rng)
    return f"{ANCHOR}, {text}" if rng.random() < 0.6 else text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the character LoRA.")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--examine", action="store_true", help="examine the LoRA that is there")
    args = parser.parse_args()
    if not args.examine:
        train(args.work, args.seconds)
    figures = examine(args.work, picture=args.work / "mira.png")
    (args.work / "mira.figures.json").write_text(json.dumps(figures, indent=2), "utf-8")
    print(figures)
