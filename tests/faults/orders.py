"""Work for a daemon that will be killed: prompt files of every format, and calls. No two prompts are the same."""

import json
from dataclasses import dataclass, field

STILL = {"width": 64, "height": 64, "steps": 1}
FORMATS = ("png", "jpeg", "webp")


@dataclass
class Orders:
    """`calls` by idempotency key; `drops` by file name; `prompts` of all jobs that these make."""

    calls: dict[str, dict] = field(default_factory=dict)
    drops: dict[str, bytes] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)


def orders(files: int, calls: int) -> Orders:
    made = Orders()
    for number in range(calls):
        request = {"prompt": f"blue hills, call {number}", "format": FORMATS[number % 3], "seed": number, **STILL}
        if number % 10 == 9:
            request["count"] = 2
        made.calls[f"key-{number}"] = request
        made.prompts.append(request["prompt"])
    for number in range(files):
        name, text, prompts = _file(number)
        made.drops[name] = text.encode()
        made.prompts += prompts
    return made


def _file(number: int) -> tuple[str, str, list[str]]:
    words = f"a red house, file {number}"
    one = {"prompt": words, **STILL}
    more = [{**one, "prompt": f"{words} row {row}", "format": FORMATS[row]} for row in range(2)]
    both = [row["prompt"] for row in more]
    toml = "\n".join(f"{name} = {json.dumps(value)}" for name, value in one.items())
    yaml = "\n".join(f"{name}: {json.dumps(value)}" for name, value in one.items())
    front = "\n".join(f"{name}: {value}" for name, value in STILL.items())
    csv = "prompt,width,height,steps\n" + "\n".join(f'"{prompt}",64,64,1' for prompt in both)
    kinds = [
        ("txt", words, [words]),
        ("md", f"---\n{front}\n---\n{words}\n", [words]),
        ("json", json.dumps(one), [words]),
        ("json", json.dumps(more), both),
        ("yaml", yaml, [words]),
        ("toml", toml, [words]),
        ("csv", csv, both),
        ("json", '{"prompt": "broken', []),
    ]
    ending, text, prompts = kinds[number % len(kinds)]
    return f"file-{number}.{ending}", text, prompts
