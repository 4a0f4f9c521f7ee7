import pytest

from tendred.schema.compact import Compact, compact


def shapes(features=8, layers=3, scale=2):
    """What a trainer writes."""
    found = {"body.0.weight": [features, 3, 3, 3]}
    for number in range(1, layers + 1):
        found[f"body.{2 * number}.weight"] = [features, features, 3, 3]
    for number in range(layers + 1):
        found[f"body.{2 * number}.bias"] = [features]
        found[f"body.{2 * number + 1}.weight"] = [features]
    last = 2 * (layers + 1)
    return {**found, f"body.{last}.weight": [3 * scale**2, features, 3, 3], f"body.{last}.bias": [3 * scale**2]}


@pytest.mark.parametrize(
    "shape", [Compact(8, 3, 2), Compact(32, 8, 2), Compact(64, 32, 4), Compact(64, 16, 3), Compact(8, 0, 1)]
)
def test_names_and_sizes_tell_it(shape):
    assert compact(shapes(*shape)) == shape
    # A convolution before the layers, one after them: each sees a pixel further.
    assert shape.reach == shape.layers + 2


@pytest.mark.parametrize(
    "change",
    [
        lambda keys: keys.clear(),
        lambda keys: keys.pop("body.3.weight"),
        lambda keys: keys.pop("body.2.bias"),
        lambda keys: keys.update({"body.2.weight": [8, 8, 1, 1]}),
        lambda keys: keys.update({"body.2.weight": [8, 9, 3, 3]}),
        lambda keys: keys.update({"body.1.weight": [1]}),
        lambda keys: keys.update({"body.8.weight": [13, 8, 3, 3], "body.8.bias": [13]}),
        lambda keys: keys.update({"body.0.weight": [8, 1, 3, 3]}),
        lambda keys: keys.update({"head.weight": [3]}),
        lambda keys: keys.update({"body.9.weight": [12]}),
        lambda keys: keys.update({"body.0.weight": []}),
    ],
)
def test_another_architecture_is_none(change):
    keys = shapes()
    change(keys)
    assert compact(keys) is None
