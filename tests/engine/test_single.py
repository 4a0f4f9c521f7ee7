"""Checkpoints in one file, offline: the families' sizes, CLIP's words, and every weight where it belongs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def python(code, *arguments):
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, check=False, text=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Tiny checkpoints, the folders with the same weights, and the configurations of their sizes."""
    root = tmp_path_factory.mktemp("singles")
    python(
        "import sys; from pathlib import Path; from tendred.testing.tiny_single import write\n"
        "root = Path(sys.argv[1])\n"
        "for family in ('sd15', 'sdxl'):\n"
        "    write(root / f'{family}.safetensors', root / family, root / 'configs', family)\n",
        root,
    )
    return root


def test_the_sizes_are_those_of_the_families():
    """Parameters, as their authors count them; nothing is allocated."""
    code = (
        "import json, torch, diffusers, transformers\n"
        "from accelerate import init_empty_weights\n"
        "from tendred.engine.worker.single import DATA\n"
        "found = {}\n"
        "for family in ('sd15', 'sdxl'):\n"
        "    index = json.loads((DATA / family / 'model_index.json').read_text())\n"
        "    for part, value in index.items():\n"
        "        if not isinstance(value, list) or not (DATA / family / part / 'config.json').is_file(): continue\n"
        "        kind = getattr({'diffusers': diffusers, 'transformers': transformers}[value[0]], value[1])\n"
        "        with init_empty_weights():\n"
        "            if value[0] == 'diffusers': made = kind.from_config(kind.load_config(DATA / family / part))\n"
        "            else: made = kind(transformers.CLIPTextConfig.from_pretrained(DATA / family / part))\n"
        "        found[f'{family}.{part}'] = sum(value.numel() for value in made.parameters())\n"
        "print(json.dumps(found))\n"
    )
    assert json.loads(python(code)) == {
        "sd15.unet": 859_520_964, "sd15.vae": 83_653_863, "sd15.text_encoder": 123_060_480,
        "sdxl.unet": 2_567_463_684, "sdxl.vae": 83_653_863, "sdxl.text_encoder": 123_060_480,
        "sdxl.text_encoder_2": 694_659_840,
    }  # fmt: skip


def test_the_tokenizer_is_clips():
    code = (
        "import json\n"
        "from tendred.engine.worker.single import tokenizer, vocabulary\n"
        "first, second = tokenizer('tokenizer'), tokenizer('tokenizer_2')\n"
        "words = dict(padding='max_length', max_length=9, truncation=True)\n"
        "print(json.dumps([len(vocabulary()), first('a photo of a cat').input_ids, first('Café, 東京!').input_ids,\n"
        "    first('a cat', **words).input_ids[-2:], second('a cat', **words).input_ids[-2:], first.model_max_length]))\n"
    )
    size, ids, odd, filled, other, window = json.loads(python(code))
    assert (size, window) == (49_408, 77)
    # As the encoder was published: begin, "a", "photo", "of", "a", "cat", end.
    assert ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert (odd[0], odd[-1]) == (49406, 49407)
    assert 49407 not in odd[1:-1]
    assert (filled, other) == ([49407, 49407], [0, 0])


DRAW = """
import hashlib, sys, torch, diffusers
from pathlib import Path
from tendred.engine.worker import device
from tendred.engine.worker.load import settle_weights
from tendred.engine.worker.single import open_single
root, family = Path(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
pipes = [
    open_single(family, root / f'{family}.safetensors', torch.float32, root / 'configs'),
    diffusers.DiffusionPipeline.from_pretrained(root / family, local_files_only=True, use_safetensors=True),
]
for pipe in pipes:
    settle_weights(device.modules(pipe))
    pipe.set_progress_bar_config(disable=True)
    call = dict(prompt='a red egg', negative_prompt='fog', width=64, height=64, num_inference_steps=3, output_type='np')
    image = pipe(**call, generator=torch.Generator('cpu').manual_seed(1)).images[0]
    print(hashlib.sha256((image * 255).round().astype('uint8').tobytes()).hexdigest())
"""


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_file_draws_what_the_folder_with_its_weights_draws(files, family):
    first, second = python(DRAW, files, family).split()
    assert first == second


REFUSED = """
import sys, torch
from pathlib import Path
from safetensors.torch import load_file, save_file
from tendred.engine.worker.single import open_single
from tendred.errors import ModelRefused
root, family, start = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
state = load_file(root / f'{family}.safetensors')
less = root / 'less.safetensors'
save_file({key: value for key, value in state.items() if not key.startswith(start)}, less)
try:
    open_single('less', less, torch.float32, root / 'configs')
except ModelRefused as refused:
    print(refused.detail['reason'])
except Exception as problem:
    print(type(problem).__name__)
"""


@pytest.mark.parametrize(
    ("family", "start"),
    [
        ("sd15", "cond_stage_model"),
        ("sd15", "first_stage_model"),
        ("sdxl", "conditioner.embedders.1"),
        ("sdxl", "model.diffusion_model"),
        ("sdxl", "conditioner.embedders.0.transformer.text_model.final_layer_norm"),
        ("sdxl", "model.diffusion_model.middle_block"),
    ],
)
def test_a_file_that_lacks_something_is_refused(files, family, start):
    """The library would draw with chance in its place, and say nothing."""
    assert python(REFUSED, files, family, start).split()[-1] in {
        "family",
        "header",
        "ValueError",
        "NotImplementedError",
        "KeyError",
    }


def test_numbers_that_mean_velocities_are_taken_for_that(files):
    code = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from safetensors.torch import load_file, save_file\n"
        "from tendred.engine.worker.single import open_single\n"
        "root = Path(sys.argv[1])\n"
        "state = load_file(root / 'sdxl.safetensors') | {'v_pred': torch.zeros(1), 'ztsnr': torch.zeros(1)}\n"
        "save_file(state, root / 'v.safetensors')\n"
        "config = open_single('v', root / 'v.safetensors', torch.float32, root / 'configs').scheduler.config\n"
        "print(config.prediction_type, config.rescale_betas_zero_snr)\n"
    )
    assert python(code, files).split() == ["v_prediction", "True"]
