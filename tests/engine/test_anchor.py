"""The adult anchor, counted in tokens: at the head of every window of CLIP's, whatever the words and weights."""

from __future__ import annotations

import random
import re
from types import SimpleNamespace

import msgspec
import pytest

from tendred.boundary.anchor import in_words
from tendred.boundary.judge import Boundary, Words
from tendred.core.studio import Submission
from tendred.errors import BoundaryRefused
from tendred.schema.job import Origin
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.still import Still, StillRequest
from tendred.testing.headers import folder
from tendred.testing.loras import layers
from tendred.testing.people import AMENDS, people
from tendred.testing.plugins import installed
from tendred.testing.tiny import STARTER

pytestmark = [pytest.mark.engine]

BOUNDARY = Boundary(bytes(32), year=lambda: 2026)
WINDOW = 77
PARTS = (
    "a woman in a red coat",
    "an old man",
    "by the sea",
    "oil painting",
    "85mm photograph",
    "a couple, dancing",
    "long hair",
    "(smiling)",
    "adult",
    "at dusk",
)


class CLIPTextModel:
    """Stands for the encoder where only its kind is asked for."""


@pytest.fixture(scope="module")
def pipe():
    from tendred.engine.worker.single import tokenizer

    two = [tokenizer("tokenizer"), tokenizer("tokenizer_2")]
    return SimpleNamespace(tokenizer=two[0], tokenizer_2=two[1], text_encoder=CLIPTextModel())


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]


@pytest.mark.parametrize("age", [None, 34])
@pytest.mark.parametrize("length", [1, 4, 20, 60])
def test_every_window_of_every_encoder_begins_with_the_anchor(pipe, age, length):
    from tendred.engine.worker.words import _pieces

    rng = random.Random(length)
    for number in range(25):
        said = ", ".join([f"a {age}-year-old woman" if age else "a woman", *rng.choices(PARTS, k=length)])
        # Between words: a weight within a number makes another number of it, which is judged by itself.
        cut = rng.choice([at for at, char in enumerate(said) if char == " "])
        spans = [Span(text=said[:cut], weight=1.3), Span(text=said[cut:])] if number % 2 else [Span(text=said)]
        verdict, conditioning = BOUNDARY.judge(Words(prompt=said, spans=spans))
        assert verdict.verdict == "allow", said
        anchor = conditioning.anchor
        assert anchor == ("adult" if age is None else f"{age}-year-old adult")
        pieces = _pieces(pipe, conditioning.prompt, f"{anchor}, ")
        for tokenizer in (pipe.tokenizer, pipe.tokenizer_2):
            head = ids(tokenizer, f"{anchor}, ")
            windows = [ids(tokenizer, piece.text) for piece in pieces]
            assert all(window[: len(head)] == head and len(window) <= WINDOW - 2 for window in windows)
            drawn = [token for window in windows for token in window[len(head) :]]
            assert drawn == ids(tokenizer, said)


def started(tokenizer, text):
    """The tokens between begin and end of one window, as a pipeline cuts it off."""
    begin, *tokens, end = tokenizer(text, max_length=tokenizer.model_max_length, truncation=True)["input_ids"]
    assert (begin, end) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    return tokens


class Recorder:
    """Stands for a pipeline of CLIP's encoders: takes note of the windows that they would be given."""

    def __init__(self, *tokenizers):
        self.tokenizer, self.tokenizer_2 = tokenizers
        self.text_encoder = self.text_encoder_2 = CLIPTextModel()
        self.config, self._execution_device, self.windows = SimpleNamespace(), "cpu", []

    def encode_prompt(self, *, prompt, **_):
        import torch

        self.windows.append(prompt)
        return torch.zeros(1, WINDOW, 2), None, torch.zeros(1, 2)

    def given(self, still, conditioning):
        """The windows of the prompt, whichever way the engine takes."""
        from tendred.engine.worker.draw import arguments
        from tendred.engine.worker.ways import Way

        self.windows = []
        parameters = frozenset({
            "prompt", "negative_prompt", "prompt_embeds", "negative_prompt_embeds", "num_inference_steps", "width", "height",
            "guidance_scale", "clip_skip",
        })  # fmt: skip
        call = arguments(still, conditioning, SimpleNamespace(pipe=self, name="m"), Way(self, parameters, {}, None))
        if "prompt" in call:
            return [call["prompt"]]
        unwanted = "".join(span.text for span in conditioning.negative)
        # The bare anchor is what weights are measured from; pieces of the negative prompt are no words of the picture.
        nothing = f"{conditioning.anchor}, "
        return [text for text in self.windows if text not in {nothing, ""} and text not in unwanted]


def recorders():
    """The tokenizers that ship: the starter's, and CLIP's own for checkpoints in one file."""
    from transformers import AutoTokenizer

    from tendred.engine.worker.single import tokenizer

    ours = [AutoTokenizer.from_pretrained(STARTER / part) for part in ("tokenizer", "tokenizer_2")]
    return Recorder(*ours), Recorder(tokenizer("tokenizer"), tokenizer("tokenizer_2"))


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(60, marks=pytest.mark.timeout(120)),
        pytest.param(1_000, marks=[pytest.mark.heavy, pytest.mark.timeout(900)]),
        pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
async def test_every_person_has_exactly_one_anchor_in_tokens(make_daemon, tmp_path, count):
    """After a plugin that works against it: what is sealed, as the local encoders get it and as a provider would."""
    with installed(tmp_path / "site", amends=AMENDS):
        daemon = await make_daemon('plugins.enabled=["amends"]')
        shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
        await daemon.studio.add_model(str(folder(tmp_path / "other", shapes)), "other")
        submitter, pipes, long, refused = daemon.studio._p.submitter, recorders(), 0, []
        for seed, (prompt, negative) in enumerate(people(2 * count)):
            if seed - len(refused) == count:
                break
            request = StillRequest(prompt=prompt, negative_prompt=negative, model="other", seed=seed)
            try:
                new = await submitter.prepare(Submission(request=request, asked={}, key=None), Origin(door="rpc"))
            except BoundaryRefused:
                refused.append(prompt)
                continue
            still = msgspec.json.decode(new.reviewed.request, type=Still)
            sealed = msgspec.json.decode(new.reviewed.conditioning, type=Conditioning)
            assert sealed.anchor is not None, prompt
            assert re.fullmatch(r"(?:(?:2[1-9]|[3-9]\d)-year-old )?adult", sealed.anchor), sealed.anchor
            said = "".join(span.text for span in sealed.prompt)
            for pipe in pipes:
                windows = pipe.given(still, sealed)
                long += len(windows) > 1
                for tokenizer in (pipe.tokenizer, pipe.tokenizer_2):
                    head = ids(tokenizer, f"{sealed.anchor}, ")
                    drawn = []
                    for window in windows:
                        tokens = started(tokenizer, window)
                        assert tokens[: len(head)] == head, prompt
                        drawn += tokens[len(head) :]
                    # Behind the one anchor of each window stand the user's words, all of them, and nothing else.
                    assert drawn == ids(tokenizer, said), prompt
                    assert ids(tokenizer, in_words(sealed)) == head + ids(tokenizer, said), prompt
            _, clip = BOUNDARY.judge(Words(prompt=said, spans=sealed.prompt, kind="clip"))
            assert clip is None or clip.anchor == sealed.anchor, prompt
        assert long > count // 8
        # What is refused is drawn by nobody. These are adults, so it must be few.
        assert len(refused) <= count // 50, refused[:5]
