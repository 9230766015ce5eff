"""Each assumption is answered as the mathematics says; a theorem never applies by mistake."""

import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import lr_scheduler as schedulers

import nonsmooth as ns
from nonsmooth.audit import assumption_observations, assumptions, schedule_of, smoothness_of
from nonsmooth.audit._theorems import THEOREMS

GD, SUBGRADIENT, SGD, TAME, PROX, AMSGRAD, BOUNDED, RESHUFFLED = (each.name for each in THEOREMS)


def _net(activation=None):
    return nn.Sequential(nn.Linear(3, 4), activation or nn.ReLU(), nn.Linear(4, 1))


def _rows(model, make, schedule=None, loss=mse_loss, **options):
    optimizer = make(model.parameters())
    found = smoothness_of(model, (torch.ones(5, 3), torch.zeros(5, 1)), loss)
    facts = schedule_of(optimizer, None if schedule is None else schedule(optimizer), 100)
    rows = assumptions(found, facts, optimizer, **options)
    return {(row.theorem, row.assumption): row for row in rows}, assumption_observations(rows)


def _answers(rows, theorem):
    return {words: row.answer for (name, words), row in rows.items() if name == theorem}


def _find(rows, theorem, part):
    (row,) = [row for (name, words), row in rows.items() if name == theorem and part in words]
    return row


def _sgd(p):
    return torch.optim.SGD(p, lr=0.1)


@pytest.mark.parametrize(
    ("activation", "lipschitz", "smooth"),
    [
        (nn.Tanh, "holds", "holds"),
        (nn.GELU, "holds", "holds"),
        (nn.ELU, "holds", "holds"),
        (nn.ReLU, "holds", "fails"),
        (nn.Hardtanh, "holds", "fails"),
    ],
)
def test_smoothness_decides_what_it_can(activation, lipschitz, smooth):
    rows, _ = _rows(_net(activation()), _sgd)
    row = _find(rows, GD, "Lipschitz on bounded sets")
    assert row.answer == smooth
    if smooth == "fails":
        assert activation.__name__ in row.evidence
    one = _find(rows, GD, "one Lipschitz constant")
    assert one.answer == ("fails" if smooth == "fails" else "cannot be known")
    assert _find(rows, TAME, "locally Lipschitz").answer == lipschitz
    assert _find(rows, TAME, "tame").answer == "holds"
    clarke = _find(rows, TAME, "Clarke").answer
    assert clarke == ("cannot be known" if smooth == "fails" else "holds")


class Jump(nn.Module):
    def forward(self, x):
        return torch.round(x)


def test_jumps_are_not_locally_lipschitz():
    rows, seen = _rows(_net(Jump()), _sgd)
    assert _find(rows, TAME, "locally Lipschitz").answer == "fails"
    assert {each.id: each.level for each in seen}["theorem-tame"] == "note"


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(x)


class SineOfPole(nn.Module):
    def forward(self, x):
        return torch.sin(1 / x)


class LogOfPole(nn.Module):
    def forward(self, x):
        return torch.log(x)


def test_tame_is_meant_on_balls():
    """sin is tame on every ball, sin(1/x) is not; log is definable on its whole domain."""
    assert _find(_rows(_net(Sine()), _sgd)[0], TAME, "tame").answer == "holds"
    row = _find(_rows(_net(SineOfPole()), _sgd)[0], TAME, "tame")
    assert row.answer == "cannot be known"
    assert "sin" in row.evidence
    rows, _ = _rows(_net(LogOfPole()), _sgd)
    assert _find(rows, TAME, "tame").answer == "holds"
    assert _find(rows, TAME, "locally Lipschitz").answer == "cannot be known"


def test_an_unknown_operation_answers_nothing():
    @torch.library.custom_op("nonsmooth_tests::assumed", mutates_args=())
    def assumed(x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    assumed.register_fake(lambda x: torch.empty_like(x))
    assumed.register_autograd(lambda ctx, g: g)

    class Custom(nn.Module):
        def forward(self, x):
            return assumed(x)

    rows, _ = _rows(_net(Custom()), _sgd)
    for part in ("tame", "locally Lipschitz"):
        assert _find(rows, TAME, part).answer == "cannot be known"
    assert _find(rows, GD, "Lipschitz on bounded sets").answer == "cannot be known"
    assert "assumed" in _find(rows, TAME, "tame").evidence
    sgd = _sgd(_net().parameters())
    nothing = assumptions(None, schedule_of(sgd, None, 5), sgd)
    assert {row.answer for row in nothing if "Lipschitz" in row.assumption} == {"cannot be known"}


SCHEDULES = {
    "constant": (None, "holds", "fails"),
    "steps": (lambda o: schedulers.StepLR(o, 5, 0.1), "fails", "holds"),
    "cosine": (lambda o: schedulers.CosineAnnealingLR(o, 100), "holds", "fails"),
    "1/t": (lambda o: schedulers.LambdaLR(o, lambda t: 1 / (1 + t)), "cannot be known", "cannot be known"),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_robbins_monro_steps(name):
    """StepLR's sum is finite, which assumption A.3 of Davis et al. (2020) forbids: the paper's remark."""
    make, infinite, squares = SCHEDULES[name]
    rows, _ = _rows(_net(), _sgd, make)
    for theorem in (SGD, TAME):
        row = _find(rows, theorem, "infinite sum")
        assert row.answer == infinite
        assert "sum to" in row.evidence
        assert _find(rows, theorem, "squares").answer == squares
    if name == "steps":  # 0.1 * 5 / (1 - 0.1)
        assert "sum to 0.556" in _find(rows, TAME, "infinite sum").evidence
    if name == "1/t":
        assert "t^-1 " in _find(rows, TAME, "infinite sum").evidence


class _Derived(torch.optim.SGD):
    """Its step might be any."""


def _hooked(p):
    optimizer = torch.optim.SGD(p, 0.1)
    optimizer.register_step_pre_hook(lambda *_: None)
    return optimizer


def _hooked_after(p):
    optimizer = torch.optim.SGD(p, 0.1)
    optimizer.register_step_post_hook(lambda *_: None)
    return optimizer


def _groups(p):
    first, *rest = p
    return torch.optim.SGD([{"params": [first], "lr": 0.1}, {"params": rest, "lr": 0.01}], 0.1)


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (_sgd, "holds"),
        (lambda p: torch.optim.SGD(p, 0.1, maximize=True), "fails"),
        (_groups, "fails"),
        (_Derived, "cannot be known"),
        (_hooked, "cannot be known"),
        (_hooked_after, "cannot be known"),
        (lambda p: torch.optim.SGD(p, 0.1, weight_decay=1e-3), "holds"),
        (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), "fails"),
        (lambda p: torch.optim.Adam(p), "fails"),
    ],
)
def test_plain_steps(make, answer):
    rows, _ = _rows(_net(), make)
    for theorem in (GD, SUBGRADIENT, SGD, TAME):
        assert _find(rows, theorem, "nothing else").answer == answer


def test_batches_dropout_and_batch_norm():
    rows, _ = _rows(_net(nn.Tanh()), _sgd, stochastic=False)
    assert _find(rows, GD, "whole loss").answer == "holds"
    assert _find(rows, TAME, "noise has mean 0").answer == "holds"
    rows, _ = _rows(_net(nn.Tanh()), _sgd)
    assert _find(rows, GD, "whole loss").answer == "fails"
    assert _find(rows, TAME, "noise has mean 0").answer == "cannot be known"
    rows, _ = _rows(_net(nn.Dropout()), _sgd, stochastic=False)
    row = _find(rows, GD, "whole loss")
    assert row.answer == "fails"
    assert "random" in row.evidence
    rows, _ = _rows(_net(nn.BatchNorm1d(4)), _sgd)
    assert "normalise by the batch" in _find(rows, TAME, "noise has mean 0").evidence


def _quadratic(lr, curvature):
    """A quadratic of known curvatures, its sharpness measured; 2/sharpness is the edge."""
    model = nn.Linear(len(curvature), 1, bias=False)
    x = torch.diag(torch.tensor(curvature, dtype=torch.float64).sqrt())
    x = x * math.sqrt(len(curvature) / 2)
    y = torch.zeros(len(curvature), 1, dtype=torch.float64)
    model = model.double()
    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    sharp = ns.sharpness(model, mse_loss, [(x, y)], optimizer=sgd)
    found = smoothness_of(model, (x, y), mse_loss)
    return assumptions(found, schedule_of(sgd, None, 10), sgd, sharpness=sharp, stochastic=False)


def test_steps_against_the_measured_edge():
    for lr, answer in ((0.39, "cannot be known"), (0.41, "fails")):  # 2/5 is the edge
        rows = _quadratic(lr, [5.0, 1.0, 0.5])
        (row,) = [row for row in rows if row.theorem == GD and "2/L" in row.assumption]
        assert row.answer == answer
        assert "sharpness here is 5" in row.evidence
        assert f"{lr * 5 / 2:.3g} times" in row.evidence


def test_the_sharpness_of_a_batch_is_not_that_of_the_whole_loss():
    model = _net(nn.Tanh())
    sgd = torch.optim.SGD(model.parameters(), lr=100.0)
    x = torch.randn(8, next(model.parameters()).shape[1])
    with torch.no_grad():
        y = torch.randn_like(model(x))
    sharp = ns.sharpness(model, mse_loss, [(x, y)])
    found = smoothness_of(model, (x, y), mse_loss)
    for stochastic, answer in ((True, "cannot be known"), (False, "fails")):
        rows = assumptions(found, schedule_of(sgd, None, 10), sgd, sharpness=sharp, stochastic=stochastic)
        (row,) = [row for row in rows if row.theorem == GD and "2/L" in row.assumption]
        assert row.answer == answer


def test_a_group_that_does_not_move():
    """The sum of the steps is infinite for the others only."""
    model = _net(nn.Tanh())
    first, *others = model.parameters()
    sgd = torch.optim.SGD([{"params": [first], "lr": 0.0}, {"params": others}], lr=0.1)
    rows = assumptions(None, schedule_of(sgd, None, 10), sgd)
    assert {row.answer for row in rows if "infinite sum" in row.assumption} == {"fails"}
    assert any("group 0 has the step size 0" in row.evidence for row in rows)


def test_steps_below_the_edge_without_a_margin_need_not_converge():
    """Why the row asks for a margin: the steps 2/L - 1/(L k^2) on L w^2/2, whose sum is infinite."""
    slope, margin, edge = 5.0, 1.0, 1.0
    for k in range(2, 100_000):
        margin *= 1 - 5.0 * 0.9 * 2 / 5
        edge *= 1 - 5.0 * (2 / 5 - 1 / (5 * k**2))
    assert abs(slope * margin) < 1e-9
    assert abs(slope * edge) == pytest.approx(slope / 2, rel=1e-4)  # the product of 1 - 1/k^2 is 1/2


def test_the_mean_of_subgradients_at_kinks():
    """Of |w| and -|w| both 1 is a subgradient at 0, and the mean loss is 0; so the noise's row says."""
    tame = _find(_rows(_net(), _sgd)[0], TAME, "noise has mean 0")
    assert "-|w| and |w|" in tame.evidence
    smooth = _find(_rows(_net(nn.Tanh()), _sgd)[0], TAME, "noise has mean 0")
    assert "-|w| and |w|" not in smooth.evidence


def test_numbers_are_those_that_were_checked():
    """A number of a theorem in a source is one that was read there; all others are named in words."""
    numbers = {
        (theorem.id, found)
        for theorem in THEOREMS
        for found in re.findall(
            r"(?:Theorem|Lemma|Corollary|Assumptions?|Section|Proposition|Chapter) [A-Z]?[0-9.]*[0-9]",
            " ".join((theorem.source, theorem.gives, theorem.remains)),
        )
    }
    assert numbers == {
        ("theorem-gradient-descent", "Lemma 1.2.3"),
        ("theorem-amsgrad", "Theorem 4"),
        ("theorem-amsgrad", "Corollary 1"),
        ("theorem-amsgrad", "Theorem 3"),
        ("theorem-adam-bounded-gradients", "Section 2.3"),
        ("theorem-adam-bounded-gradients", "Theorem 4"),
    }


def test_negative_curvature_disproves_convexity():
    sgd = _sgd(_net().parameters())
    facts = schedule_of(sgd, None, 5)
    for values, answer in (
        ([3.0, -1.0], "fails"),
        ([3.0, 1.0], "cannot be known"),
        ([3.0, -1e-9], "cannot be known"),
    ):
        sharp: Any = SimpleNamespace(eigenvalues=np.array(values), metric="", dtype="float64")
        rows = assumptions(None, facts, sgd, sharpness=sharp)
        assert {row.answer for row in rows if "convex" in row.assumption and row.theorem == SUBGRADIENT} == {
            answer
        }
    adams: Any = SimpleNamespace(eigenvalues=np.array([1e9]), metric="Adam", dtype="float64")
    rows = assumptions(None, facts, sgd, sharpness=adams)
    assert {row.answer for row in rows if "2/L" in row.assumption} == {"cannot be known"}


def test_proximal_gradient_needs_a_proximal_map():
    rows, _ = _rows(_net(nn.Tanh()), _sgd)
    assert _find(rows, PROX, "proximal map, in").answer == "fails"

    def attached(p):
        sgd = torch.optim.SGD(p, lr=0.1)
        ns.attach(sgd, ns.L1(1e-3), params=list(sgd.param_groups[0]["params"])[:1])
        return sgd

    rows, _ = _rows(_net(nn.Tanh()), attached)
    row = _find(rows, PROX, "proximal map, in")
    assert row.answer == "holds"
    assert "on 1 parameters" in row.evidence
    assert _find(rows, PROX, "then the proximal map").answer == "holds"
    assert _find(rows, GD, "nothing else").answer == "fails"
    model = _net(nn.Tanh())
    rows, _ = _rows(
        model, _sgd, loss=lambda out, y: mse_loss(out, y) + 0.1 * next(model.parameters()).abs().sum()
    )
    assert "L1 term is in the loss" in _find(rows, PROX, "without it").evidence


@pytest.mark.parametrize(
    ("options", "below_root", "below"),
    [
        ({}, "holds", "holds"),
        ({"betas": (0.95, 0.92)}, "holds", "fails"),  # 0.95 < sqrt(0.92) = 0.959
        ({"betas": (0.97, 0.92)}, "fails", "fails"),
    ],
)
def test_betas(options, below_root, below):
    rows, _ = _rows(_net(nn.Tanh()), lambda p: torch.optim.Adam(p, **options))
    assert _find(rows, AMSGRAD, "sqrt(beta2)").answer == below_root
    assert _find(rows, RESHUFFLED, "sqrt(beta2)").answer == below_root
    assert _find(rows, BOUNDED, "beta1 < beta2").answer == below


def test_adams_kinds():
    rows, _ = _rows(_net(), torch.optim.Adam)
    assert _find(rows, AMSGRAD, "never fall").answer == "fails"
    assert _find(rows, AMSGRAD, "projected").answer == "fails"
    assert _find(rows, BOUNDED, "is constant").answer == "holds"
    assert _find(rows, RESHUFFLED, "optimiser is Adam").answer == "holds"
    rows, _ = _rows(_net(), lambda p: torch.optim.Adam(p, amsgrad=True))
    assert _find(rows, AMSGRAD, "never fall").answer == "holds"
    assert _find(rows, BOUNDED, "optimiser is Adam").answer == "fails"
    rows, _ = _rows(_net(), torch.optim.AdamW)
    assert _find(rows, BOUNDED, "optimiser is Adam").answer == "fails"  # weight decay 0.01 by default
    rows, _ = _rows(_net(), lambda p: torch.optim.AdamW(p, weight_decay=0.0))
    assert _find(rows, BOUNDED, "optimiser is Adam").answer == "holds"
    rows, _ = _rows(_net(), lambda p: torch.optim.Adam(p, maximize=True))
    assert _find(rows, BOUNDED, "optimiser is Adam").answer == "fails"
    rows, _ = _rows(_net(), type("Derived", (torch.optim.Adam,), {}))
    assert _find(rows, BOUNDED, "optimiser is Adam").answer == "cannot be known"
    rows, _ = _rows(_net(), torch.optim.Adam, lambda o: schedulers.CosineAnnealingLR(o, 100))
    assert _find(rows, BOUNDED, "is constant").answer == "fails"
    assert _find(rows, RESHUFFLED, "eta/sqrt(n k)").answer == "fails"
    rows, _ = _rows(_net(), torch.optim.Adam, lambda o: schedulers.LambdaLR(o, lambda t: (1 + t) ** -0.5))
    assert _find(rows, RESHUFFLED, "eta/sqrt(n k)").answer == "cannot be known"
    for theorem in (AMSGRAD, BOUNDED, RESHUFFLED):
        assert "fails" in _answers(_rows(_net(), _sgd)[0], theorem).values()


def test_observations_are_as_bad_as_their_rows():
    rows, seen = _rows(_net(), _sgd, SCHEDULES["steps"][0])
    assert [each.id for each in seen] == [theorem.id for theorem in THEOREMS]
    for theorem, said in zip(THEOREMS, seen, strict=True):
        answers = set(_answers(rows, theorem.name).values())
        expected = "note" if "fails" in answers else "unknown" if "cannot be known" in answers else "fine"
        assert said.level == expected
        assert said.source == theorem.source
        assert sum(map(len, said.numbers.values())) == len(theorem.rows)
    tame = seen[3]
    assert tame.numbers["fails"] == ["the step sizes have an infinite sum"]
    assert "the theorem is silent" in tame.why
    _, seen = _rows(_net(nn.Tanh()), _sgd, SCHEDULES["1/t"][0])
    assert seen[3].level == "unknown"
    assert "Where they hold: Almost surely every limit point" in seen[3].why


def test_fine_where_all_hold():
    rows, _ = _rows(_net(), _sgd)
    row = _find(rows, TAME, "tame")
    assert row.answer == "holds"
    (said,) = assumption_observations([row])
    assert said.level == "fine"


def test_rows_as_values():
    rows, _ = _rows(_net(), torch.optim.LBFGS)
    for row in rows.values():
        assert set(row.as_dict()) == {"theorem", "source", "assumption", "answer", "evidence"}
        assert row.evidence
