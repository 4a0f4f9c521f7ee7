"""Whenever a person may be in frame, exactly one adult age is stated: after plugins, whatever they and the user wrote.

What the encoders get of it is counted in tokens by tests/engine/test_anchor.py.
"""

import re

import msgspec

from tendred.boundary.anchor import in_words
from tendred.core.studio import Submission
from tendred.schema.job import Origin
from tendred.schema.sealed import Conditioning, Span
from tendred.schema.still import StillRequest
from tendred.testing.headers import folder
from tendred.testing.loras import layers
from tendred.testing.people import AMENDS, people
from tendred.testing.plugins import installed

ANCHOR = re.compile(r"(?:(\d+)-year-old )?adult")


async def test_every_person_has_exactly_one_anchor(make_daemon, tmp_path):
    with installed(tmp_path / "site", amends=AMENDS):
        daemon = await make_daemon('plugins.enabled=["amends"]')
        shapes = {f"{layer}.weight": [high, wide] for layer, (wide, high) in layers().items()}
        await daemon.studio.add_model(str(folder(tmp_path / "other", shapes)), "other")
        submitter, ages = daemon.studio._p.submitter, set()
        for seed, (prompt, negative) in enumerate(people(150)):
            request = StillRequest(prompt=prompt, negative_prompt=negative, model="other", seed=seed)
            submission = Submission(request=request, asked={"prompt": prompt}, key=None)
            new = await submitter.prepare(submission, Origin(door="rpc"))
            conditioning = msgspec.json.decode(new.reviewed.conditioning, type=Conditioning)
            anchor = conditioning.anchor
            assert anchor is not None, prompt
            stated = ANCHOR.fullmatch(anchor)
            assert stated, anchor
            assert stated[1] is None or int(stated[1]) >= 21, prompt
            ages.add(stated[1])
            words = "".join(span.text for span in conditioning.prompt)
            # Ours is beside the words, never among them; whoever encodes them puts it first.
            assert not words.startswith(anchor), prompt
            assert in_words(conditioning).startswith(f"{anchor}, {words[:8]}"), prompt
            assert in_words(conditioning).count(f"{anchor}, ") == 1 + words.count(f"{anchor}, "), prompt
            unwanted = "".join(span.text for span in conditioning.negative)
            assert unwanted.startswith("child"), prompt
            assert not re.search(r"adult|grown|mature|elderly", unwanted, re.IGNORECASE), prompt
        assert {None, "45"} <= ages


def test_without_a_person_there_is_none():
    assert in_words(Conditioning(prompt=[], negative=[], anchor=None)) == ""
    said = Conditioning(prompt=[Span(text="red "), Span(text="hills", weight=1.2)], negative=[], anchor=None)
    assert in_words(said) == "red hills"
    assert in_words(msgspec.structs.replace(said, anchor="adult")) == "adult, red hills"
