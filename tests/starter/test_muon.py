"""The optimiser of the starter's trainings."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
NAMES = ("muon",)


def learn(recipe, shape):
    """How far from its goal a layer's weight ends, of how far it began."""
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(*shape, 3, padding=1) if shape[0] > 8 else torch.nn.Linear(*shape)
    goal = {name: torch.randn_like(value) * 0.1 for name, value in layer.named_parameters()}
    optimiser = recipe["muon"].Muon(layer.parameters())
    before = after = None
    for step in range(200):
        loss = sum((value - goal[name]).square().mean() for name, value in layer.named_parameters())
        before = before or loss.item()
        loss.backward()
        optimiser.step(0.01 * (1 - step / 200))
        assert all(value.grad is None for value in layer.parameters())
        after = loss.item()
    return after / before


@pytest.mark.parametrize("shape", [(16, 32), (32, 16), (3, 5)])
def test_kernels_matrices_and_vectors_all_find_their_goal(recipe, shape):
    assert learn(recipe, shape) < 0.01


def test_a_step_is_as_large_whatever_the_gradient(recipe):
    torch.manual_seed(0)
    moved = []
    for size in (1e-4, 1e3):
        layer = torch.nn.Conv2d(16, 64, 3)
        for value in layer.parameters():
            value.data.zero_()
            value.grad = torch.randn_like(value) * size
        recipe["muon"].Muon(layer.parameters()).step(0.01)
        moved.append(layer.weight.detach().square().mean().sqrt().item())
    # A fifth of the rate, as Adam's steps are.
    assert moved == pytest.approx([0.002, 0.002], rel=0.25)
