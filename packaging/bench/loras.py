"""What changing a LoRA on a warm model costs, beside loading the model anew.

Stills of one step, in turns: with the LoRA that is on, with another one, and after the model was unloaded. A change
costs what the second takes longer than the first.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from _house import HERE, Table, arguments, folder, house, median, ms, quantile
from overhead import still

from tendred.app.client import Client

MIRA = HERE.parent.parent / "tendred" / "models" / "loras" / "mira.safetensors"
TARGET_S = 0.3


def seconds(client: Client, name: str, seed: int) -> float:
    return still(client, loras=[{"name": name}], steps=1, seed=seed)[1]


def two(home: Path) -> tuple[str, str]:
    """The one that ships under two names of the user's: the engine can't know that they are alike."""
    own = home / "data" / "models" / "loras"
    own.mkdir(parents=True)
    for name in ("one", "two"):
        shutil.copyfile(MIRA, own / f"{name}.safetensors")
        shutil.copyfile(MIRA.with_suffix(".json"), own / f"{name}.json")
    return "one", "two"


def main() -> None:
    options = arguments(__doc__, times=(20, 3, "changes"), reloads=(5, 1, "reloads"))
    table = Table("loras")
    with folder() as place:
        names = two(place / "home")
        with house(place / "home", "engine.device=cpu") as (_, client):
            for name in names:
                seconds(client, name, 0)
            same: list[float] = []
            changed: list[float] = []
            for number in range(options.times):
                name = names[number % 2]
                changed.append(seconds(client, name, number))
                same.append(seconds(client, name, number))
            reloaded: list[float] = []
            for number in range(options.reloads):
                client.call("models.unload")
                reloaded.append(seconds(client, names[number % 2], number))
    costs = [other - one for other, one in zip(changed, same, strict=True)]
    cost = median(costs)
    table.add(f"a still of one step with the LoRA that is on, median of {options.times}", ms(median(same)), "", "1.00")
    table.add("a change of LoRA, median / p99", f"{ms(cost)} / {ms(quantile(costs, 0.99))}", ms(TARGET_S))
    reload_s = median(reloaded) - median(same)
    table.add(
        f"loading the model and the LoRA anew, median of {options.reloads}", ms(reload_s), "", f"{reload_s / cost:.1f}"
    )


if __name__ == "__main__":
    main()
