"""Every way in which people write an L1 penalty: found, with its strength; and its twins, which are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, prune

import nonsmooth as ns
from nonsmooth.audit import Smoothness, smoothness_of

C = 0.125  # a power of 2, the same in float32
WEIGHTS = ("one.weight", "two.weight")
ALL = ("gate", "one.weight", "one.bias", "two.weight", "two.bias")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)
        self.gate = nn.Parameter(torch.tensor(0.5))
        self.register_buffer("mask", (torch.arange(12).reshape(4, 3) % 2).float())
        self.register_buffer("start", torch.zeros(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.two(torch.tanh(self.one(x)))


def net() -> Net:
    torch.manual_seed(0)
    return Net()


BATCH = torch.linspace(-1, 1, 15).reshape(5, 3), torch.linspace(0, 1, 10).reshape(5, 2)
Penalty = Callable[[Net, Tensor, Tensor], Tensor]


def traced(penalty: Penalty) -> Smoothness:
    model = net()
    return smoothness_of(model, BATCH, lambda o, y: functional.mse_loss(o, y) + penalty(model, o, y))


def found(penalty: Penalty) -> dict[str, float | None]:
    return {name: term.strength for term in traced(penalty).l1_terms for name in term.parameters}


def zeros(w: Tensor) -> Tensor:
    return torch.zeros_like(w)


def each(m: Net) -> list[Tensor]:
    return [m.one.weight, m.two.weight]


# What is written, on whom it acts, and with which strength.
L1: dict[str, tuple[Callable[[Net], Tensor], tuple[str, ...], float]] = {
    "(c w).abs().sum()": (lambda m: (C * m.one.weight).abs().sum(), WEIGHTS[:1], C),
    "(-c w).abs().sum()": (lambda m: (-C * m.one.weight).abs().sum(), WEIGHTS[:1], C),
    "(w / c).abs().sum()": (lambda m: (m.one.weight / 8).abs().sum(), WEIGHTS[:1], C),
    "(2 (c w)).abs().sum() / 2": (lambda m: (2 * (C * m.one.weight)).abs().sum() / 2, WEIGHTS[:1], C),
    "(c (w + 0)).norm(1)": (lambda m: (C * (m.one.weight - zeros(m.one.weight))).norm(1), WEIGHTS[:1], C),
    "(abs(w) c).mean()": (lambda m: (abs(m.one.weight) * C).mean(), WEIGHTS[:1], C / 12),
    "mean of sum(abs(w)) c": (lambda m: torch.stack([sum(abs(m.one.weight).sum(1)) * C]).mean(), (), 0),
    "mask of ones": (lambda m: C * (torch.ones(4, 3) * m.one.weight).abs().sum(), WEIGHTS[:1], C),
    "torch.norm(w, 1)": (lambda m: C * torch.norm(m.one.weight, 1), WEIGHTS[:1], C),
    "w.norm(p=1)": (lambda m: C * m.one.weight.norm(p=1), WEIGHTS[:1], C),
    "w.norm(p=1, dim=1).sum()": (lambda m: C * m.one.weight.norm(p=1, dim=1).sum(), WEIGHTS[:1], C),
    "vector_norm(w, ord=1)": (lambda m: C * torch.linalg.vector_norm(m.one.weight, ord=1), WEIGHTS[:1], C),
    "linalg.norm(vector, 1)": (lambda m: C * torch.linalg.norm(m.one.bias, 1), ("one.bias",), C),
    "norms of each entry": (lambda m: C * m.one.bias[:, None].norm(dim=1).sum(), ("one.bias",), C),
    "l1_loss, sum": (
        lambda m: C * functional.l1_loss(m.one.weight, zeros(m.one.weight), reduction="sum"),
        WEIGHTS[:1],
        C,
    ),
    "l1_loss, mean": (
        lambda m: C * functional.l1_loss(m.one.weight, zeros(m.one.weight)),
        WEIGHTS[:1],
        C / 12,
    ),
    "l1_loss, the zeros first": (
        lambda m: C * functional.l1_loss(zeros(m.one.weight), m.one.weight, reduction="sum"),
        WEIGHTS[:1],
        C,
    ),
    "nn.L1Loss()": (lambda m: C * nn.L1Loss()(m.one.weight, torch.zeros(4, 3)), WEIGHTS[:1], C / 12),
    "smooth_l1_loss of beta 0": (
        lambda m: functional.smooth_l1_loss(C * m.one.weight, zeros(m.one.weight), reduction="sum", beta=0.0),
        WEIGHTS[:1],
        C,
    ),
    "_foreach_norm": (lambda m: C * sum(torch._foreach_norm(each(m), 1)), WEIGHTS, C),
    "_foreach_norm, stacked": (lambda m: C * torch.stack(torch._foreach_norm(each(m), 1)).sum(), WEIGHTS, C),
    "norm of norms": (
        lambda m: C * torch.norm(torch.stack([torch.norm(w, 1) for w in each(m)]), 1),
        WEIGHTS,
        C,
    ),
    "_foreach_abs, _foreach_mul": (
        lambda m: sum(w.sum() for w in torch._foreach_mul(torch._foreach_abs(each(m)), C)),
        WEIGHTS,
        C,
    ),
    "cat of flat ones": (
        lambda m: C * torch.cat([w.flatten() for w in each(m)]).abs().sum(),
        WEIGHTS,
        C,
    ),
    "cat of scaled ones": (
        lambda m: torch.cat([C * m.one.weight.flatten(), 2 * C * m.two.weight.flatten()]).abs().sum() / 2,
        (),
        0,
    ),
    "parameters_to_vector": (lambda m: C * parameters_to_vector(m.parameters()).abs().sum(), ALL, C),
    "root of a square": (lambda m: C * torch.sqrt(m.one.weight**2).sum(), WEIGHTS[:1], C),
    "root of w w": (lambda m: C * (m.one.weight * m.one.weight).sqrt().sum(), WEIGHTS[:1], C),
    "max(w, -w)": (lambda m: C * torch.maximum(m.one.weight, -m.one.weight).sum(), WEIGHTS[:1], C),
    "abs of a sum of abs": (lambda m: C * m.one.weight.abs().sum().abs(), WEIGHTS[:1], C),
    "abs() ** 1": (lambda m: C * (m.one.weight.abs() ** 1).sum(), WEIGHTS[:1], C),
    "nansum": (lambda m: C * m.one.weight.abs().nansum(), WEIGHTS[:1], C),
    "abs() @ ones": (lambda m: (m.one.weight.abs() @ torch.full((3,), C)).sum(), WEIGHTS[:1], C),
    "abs() @ a matrix": (lambda m: (m.one.weight.abs() @ torch.full((3, 5), C / 5)).sum(), WEIGHTS[:1], C),
    "einsum": (lambda m: C * torch.einsum("ij->", m.one.weight.abs()), WEIGHTS[:1], C),
    "dist": (lambda m: C * torch.dist(m.one.weight, torch.zeros(4, 3), 1), WEIGHTS[:1], C),
    "elastic net": (lambda m: (C * m.one.weight.abs() + m.one.weight**2).sum(), WEIGHTS[:1], C),
}


@pytest.mark.parametrize("form", L1)
def test_an_l1_term_is_found_with_its_strength(form: str) -> None:
    penalty, names, strength = L1[form]
    if form == "mean of sum(abs(w)) c":  # its rows are picked apart: each has its own factor
        names, strength = WEIGHTS[:1], None
    expected = {name: None if strength is None else pytest.approx(strength, rel=1e-6) for name in names}
    if form == "cat of scaled ones":
        expected = {"one.weight": pytest.approx(C / 2), "two.weight": pytest.approx(C)}
    seen = traced(lambda m, o, y: penalty(m))
    assert {name: term.strength for term in seen.l1_terms for name in term.parameters} == expected
    assert not seen.kinked_terms


@pytest.mark.parametrize("form", L1)
def test_the_strength_is_that_of_the_gradient(form: str) -> None:
    """An oracle without the trace: the gradient of the written penalty is strength * sign(w)."""
    model, penalty = net(), L1[form][0]
    strengths = found(lambda m, o, y: penalty(m))
    loss = penalty(model)
    smooth = (model.one.weight**2).sum() if form == "elastic net" else 0
    slopes = torch.autograd.grad(loss - smooth, list(model.parameters()), allow_unused=True)
    for (name, p), slope in zip(model.named_parameters(), slopes, strict=True):
        if strengths.get(name, 0.0) is not None:
            expected = strengths.get(name, 0.0) * p.detach().sign()
            assert torch.allclose(zeros(p) if slope is None else slope, expected, rtol=1e-5, atol=1e-7)


# Terms whose strength cannot be known: said, with the reason.
NO_STRENGTH: dict[str, tuple[Penalty, str]] = {
    "masked": (lambda m, o, y: C * (m.mask * m.one.weight).abs().sum(), "not one for all entries"),
    "masked after": (lambda m, o, y: C * (m.mask * m.one.weight.abs()).sum(), "not one for all entries"),
    "picked by a mask": (lambda m, o, y: C * m.one.weight[m.mask.bool()].abs().sum(), "part"),
    "masked_fill": (lambda m, o, y: m.one.weight.masked_fill(m.mask.bool(), 0.0).abs().sum(), "part"),
    "where": (lambda m, o, y: torch.where(m.mask.bool(), m.one.weight.abs(), 0.0).sum(), "part"),
    "one row": (lambda m, o, y: C * m.one.weight[0].abs().sum(), "part"),
    "lower triangle": (lambda m, o, y: C * m.one.weight.tril().abs().sum(), "part"),
    "dropout": (lambda m, o, y: functional.dropout(m.one.weight).abs().sum(), "not one for all entries"),
    "a factor of the data": (lambda m, o, y: y.mean() * m.one.weight.abs().sum(), "no constant"),
    "a buffer's factor": (lambda m, o, y: m.mask.mean() * m.one.weight.abs().sum(), "no constant"),
    "a learned factor": (lambda m, o, y: m.gate.exp() * m.one.weight.abs().sum(), "depends on the param"),
    "relative to the loss": (
        lambda m, o, y: functional.mse_loss(o, y).detach() * m.one.weight.abs().sum(),
        "depends on the parameters",
    ),
}


@pytest.mark.parametrize("form", NO_STRENGTH)
def test_a_strength_that_cannot_be_known_is_said(form: str) -> None:
    seen = traced(NO_STRENGTH[form][0])
    (term,) = seen.l1_terms
    assert (term.parameters, term.strength) == (("one.weight",), None)
    assert NO_STRENGTH[form][1] in term.why
    (said,) = [x for x in seen.observations() if x.id == "l1-in-loss"]
    assert said.level == "unknown"
    assert term.why in said.title


# Kinks of parameters alone, in forms that say nothing on the strength near 0: said as well.
NOT_RECOGNISED: dict[str, Penalty] = {
    "relu(w) + relu(-w)": lambda m, o, y: (torch.relu(m.one.weight) + torch.relu(-m.one.weight)).sum(),
    "where(w > 0, w, -w)": lambda m, o, y: torch.where(m.one.weight > 0, m.one.weight, -m.one.weight).sum(),
    "sign(w) w": lambda m, o, y: (m.one.weight.sign().detach() * m.one.weight).sum(),
    "root of abs": lambda m, o, y: m.one.weight.abs().pow(0.5).sum(),
    "log1p of abs": lambda m, o, y: m.one.weight.abs().log1p().sum(),
    "abs cut off below": lambda m, o, y: m.one.weight.abs().clamp(min=1e-3).sum(),
    "hypot(w, 0)": lambda m, o, y: torch.hypot(m.one.weight, torch.zeros(())).sum(),
    "running sums": lambda m, o, y: m.one.weight.abs().flatten().cumsum(0)[-1],
    "square of the L1 norm": lambda m, o, y: m.one.weight.abs().sum() ** 2,
    "largest column sum": lambda m, o, y: m.one.weight.norm(p=1, dim=0).max(),
    "from where training began": lambda m, o, y: (m.one.weight - m.start).abs().sum(),
    "of a product": lambda m, o, y: (m.two.weight @ m.one.weight).abs().sum(),
    "differences": lambda m, o, y: (m.one.weight[1:] - m.one.weight[:-1]).abs().sum(),
}


@pytest.mark.parametrize("form", NOT_RECOGNISED)
def test_what_is_not_recognised_is_said(form: str) -> None:
    seen = traced(NOT_RECOGNISED[form])
    assert not seen.l1_terms
    assert seen.kinked_terms
    assert all("one.weight" in term.parameters for term in seen.kinked_terms)
    (said,) = [x for x in seen.observations() if x.id == "penalty-not-recognised"]
    assert said.level == "unknown"


# The clean twins: smooth, kinked where a group is 0, or no penalty.
NONE: dict[str, Penalty] = {
    "nothing": lambda m, o, y: 0.0 * o.sum(),
    "smoothed": lambda m, o, y: torch.sqrt(m.one.weight**2 + 1e-6).sum(),
    "smooth_l1_loss": lambda m, o, y: functional.smooth_l1_loss(m.one.weight, zeros(m.one.weight)),
    "huber_loss": lambda m, o, y: functional.huber_loss(m.one.weight, zeros(m.one.weight)),
    "squared norm": lambda m, o, y: m.one.weight.norm() ** 2,
    "squares": lambda m, o, y: (C * m.one.weight).square().sum(),
    "squares of abs": lambda m, o, y: m.one.weight.abs().square().sum(),
    "_foreach_norm of squares": lambda m, o, y: sum(n**2 for n in torch._foreach_norm(each(m), 2)),
    "mse_loss": lambda m, o, y: functional.mse_loss(m.one.weight, zeros(m.one.weight)),
    "norm": lambda m, o, y: C * m.one.weight.norm(),
    "norms of rows": lambda m, o, y: C * m.one.weight.norm(dim=1).sum(),
    "largest entries of rows": lambda m, o, y: C * m.one.weight.norm(p=torch.inf, dim=1).sum(),
    "_foreach_norm, 2": lambda m, o, y: C * sum(torch._foreach_norm(each(m), 2)),
    "activations": lambda m, o, y: C * torch.tanh(m.one(BATCH[0])).abs().mean(),
    "outputs": lambda m, o, y: C * o.abs().mean(),
    "residual": lambda m, o, y: (o - y).abs().mean(),
    "l1_loss": lambda m, o, y: functional.l1_loss(o, y),
    "residual of a bias": lambda m, o, y: (m.two.bias - y).abs().mean(),
    "its own data": lambda m, o, y: (m(torch.linspace(-1, 1, 6).reshape(2, 3)) - 1).abs().sum(),
    "its own data, by hand": lambda m, o, y: (BATCH[0] @ m.one.weight.T - 1).abs().mean(),
    "noise": lambda m, o, y: m(torch.randn(2, 3)).abs().sum(),
    "around 1": lambda m, o, y: (m.one.weight - 1).abs().sum(),
    "a strength of 0": lambda m, o, y: 0.0 * m.one.weight.abs().sum(),
}


@pytest.mark.parametrize("form", NONE)
def test_the_clean_twins_pass(form: str) -> None:
    seen = traced(NONE[form])
    assert not seen.l1_terms
    assert not seen.kinked_terms
    ids = {each.id for each in seen.observations()}
    assert not {id for id in ids if id.startswith("l1-in-loss") or id == "penalty-not-recognised"}


def test_a_kink_of_the_model_is_no_penalty() -> None:
    """Weights of absolute values or kinks of parameters inside of the network."""

    class Positive(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return (x[:, None] * self.weight.abs()).sum(-1) + torch.relu(self.bias)

    model = Positive(3, 2)
    for loss in (functional.mse_loss, functional.l1_loss):
        seen = smoothness_of(model, BATCH, loss)
        assert not seen.l1_terms
        assert not seen.kinked_terms


def test_weights_of_a_pruned_layer() -> None:
    """torch's pruning puts weight_orig * weight_mask where the weight was."""
    model = net()
    prune.l1_unstructured(model.one, "weight", 0.5)
    seen = smoothness_of(
        model, BATCH, lambda o, y: functional.mse_loss(o, y) + C * model.one.weight.abs().sum()
    )
    assert [(term.parameters, term.strength) for term in seen.l1_terms] == [(("one.weight_orig",), None)]


def test_an_audit_says_what_is_not_recognised() -> None:
    def audited(penalty: Penalty) -> dict[str, str]:
        model = net()
        adam = torch.optim.Adam(model.parameters())
        loss = lambda o, y: functional.mse_loss(o, y) + penalty(model, o, y)  # noqa: E731
        return {x.id: x.level for x in ns.audit(model, BATCH, loss, optimizer=adam, seconds=1).observations}

    both = audited(lambda m, o, y: C * m.one.weight.abs().sum() + NOT_RECOGNISED["hypot(w, 0)"](m, o, y))
    assert both["l1-in-loss"] == "unknown"  # on the same weights: their sum is another strength
    assert both["penalty-not-recognised"] == "unknown"
    assert audited(NO_STRENGTH["masked"][0])["l1-in-loss"] == "unknown"
    assert not {"l1-in-loss", "penalty-not-recognised"} & audited(NONE["norms of rows"]).keys()


def test_operations_on_lists_are_those_on_each() -> None:
    """In place as well: what is overwritten is known afterwards."""

    def penalty(m: Net, o: Tensor, y: Tensor) -> Tensor:
        kept = torch._foreach_abs(each(m))
        torch._foreach_mul_(kept, [C, 2 * C])
        torch._foreach_add_(kept, [zeros(w) for w in kept], alpha=3)
        return torch._foreach_max(kept)[0] * 0 + sum(w.sum() for w in kept)

    seen = traced(penalty)
    assert not seen.unknown
    assert found(penalty) == {"one.weight": pytest.approx(C), "two.weight": pytest.approx(2 * C)}
    assert (
        traced(lambda m, o, y: sum(n.sum() for n in torch._foreach_sign(each(m)))).smoothness
        == "discontinuous"
    )
