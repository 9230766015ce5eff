"""The rules of composition against random functions: no class is better than what probing finds."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch.nn import functional

from audit.functions import breaks, of

ONE = [
    torch.relu,
    torch.abs,
    torch.tanh,
    torch.sigmoid,
    torch.exp,
    torch.sin,
    torch.square,
    torch.neg,
    functional.softplus,
    functional.elu,
    functional.gelu,
    functional.hardtanh,
    functional.leaky_relu,
    functional.softshrink,
    lambda x: x.clamp(min=0),
    lambda x: x.clamp(-0.5, 1),
    lambda x: x**3,
    lambda x: x**4,
    lambda x: 2 * x - 1,
    lambda x: x + 0.3,
    lambda x: (x + 1.5).sqrt(),
    lambda x: (x * x).sqrt(),
    lambda x: x.abs() ** 1.5,
    lambda x: x.softmax(0),
    lambda x: x.var() + x,
    lambda x: x.norm() * x,
    lambda x: x.clone().mul_(x).sub_(0.2),
    lambda x: 1 / (1 + x * x),
]
JUMPS = [torch.round, torch.sign, lambda x: torch.where(x > 0.1, x, 0 * x)]
TWO = [torch.add, torch.sub, torch.mul, torch.maximum, torch.minimum, lambda a, b: a / (2 + b * b)]


COUNT, FAST = 300, 60


def draw_depth(seed: int) -> int:
    return 1 + seed % 4


def made(draw: random.Random, depth: int):
    """A random function of a tensor."""
    if depth == 0:
        return lambda x: x
    if draw.random() < 0.3:
        two, left, right = draw.choice(TWO), made(draw, depth - 1), made(draw, depth - 1)
        return lambda x: two(left(x), right(x))
    one = draw.choice(JUMPS if draw.random() < 0.03 else ONE)
    inner = made(draw, depth - 1)
    return lambda x: one(inner(x))


@pytest.mark.parametrize(
    "seed", [seed if seed < FAST else pytest.param(seed, marks=pytest.mark.slow) for seed in range(COUNT)]
)
def test_no_class_is_better_than_what_is_found(seed):
    function = made(random.Random(seed), draw_depth(seed))
    kind = of(function).smoothness
    if kind in ("discontinuous", "unknown"):
        return  # nothing is claimed
    direction = torch.tensor([1.0, -0.6, 0.4, 1.3], dtype=torch.float64)
    weights = torch.tensor([1.0, 0.7, -0.4, 0.55], dtype=torch.float64)

    def value(t: float) -> float:
        with torch.no_grad():
            return (function(t * direction).expand(4) * weights).sum().item()

    def slope(t: float, h: float = 1e-7) -> float:
        return (value(t + h) - value(t - h)) / (2 * h)

    low, high = -1.23, 1.57
    if not all(math.isfinite(value(low + (high - low) * k / 60)) for k in range(61)):
        return  # outside the domain of a root
    scale = max(1.0, max(abs(slope(low + (high - low) * k / 60)) for k in range(61)))
    assert not breaks(value, low, high, 1e-4 * scale)
    if kind != "Lipschitz":
        assert not breaks(slope, low, high, 1e-2 * scale)


def test_the_random_functions_are_of_all_classes():
    found = [of(made(random.Random(seed), draw_depth(seed))).smoothness for seed in range(COUNT)]
    assert set(found) >= {"analytic", "C1,1", "Lipschitz", "discontinuous"}
    assert found.count("discontinuous") < COUNT / 2
