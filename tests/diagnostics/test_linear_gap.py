"""The gap against independent minima: celer, scikit-learn, a conic solver, the package's own LASSO dual."""

import warnings

import celer
import cvxpy as cp
import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch import nn

import nonsmooth as ns
from nonsmooth.diagnostics._certificate import certificate
from nonsmooth.errors import InputError
from nonsmooth.penalties import L1, MCP, ElasticNet, GroupL1, SparseGroupL1

ROWS, INPUTS = 30, 8
TIGHT = {"solver": cp.CLARABEL, "tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}


def features(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, INPUTS)) * np.geomspace(0.3, 3, INPUTS) + 0.5


def model(outputs: int, bias: bool, seed: int = 0, scale: float = 1.0) -> nn.Linear:
    torch.manual_seed(seed)
    layer = nn.Linear(INPUTS, outputs, bias=bias).double()
    for parameter in layer.parameters():
        parameter.data *= scale
    return layer


def responses(kind: str, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed + 1)
    z = features(seed) @ rng.normal(size=(INPUTS, 3)) + rng.normal(size=(ROWS, 3)) + 1.0
    if kind == "binary":
        return torch.as_tensor((z > 0).astype(float))
    return torch.as_tensor(z.argmax(1)) if kind == "classes" else torch.as_tensor(z)


def solver(kind: str, y: np.ndarray, penalty: str, decay: float, bias: bool) -> float:
    """The minimum, written down again for cvxpy."""
    X = features()
    W = cp.Variable((INPUTS, 3))
    b = cp.Variable(3)
    z = X @ W + (np.ones((ROWS, 1)) @ cp.reshape(b, (1, 3), order="C") if bias else 0)
    loss = {
        "squared": lambda: cp.sum_squares(z - y) / y.size,
        "huber": lambda: cp.sum(cp.huber(z - y, 0.7)) / 2 / y.size,
        "smooth": lambda: cp.sum(cp.huber(z - y, 0.7)) / 2 / 0.7 / y.size,
        "logistic": lambda: cp.sum(cp.logistic(z) - cp.multiply(y, z)) / y.size,
        "classes": lambda: (
            (cp.sum(cp.log_sum_exp(z, axis=1)) - cp.sum(cp.multiply(np.eye(3)[y], z))) / ROWS
            if kind == "classes"
            else 0
        ),
    }[kind]()
    rows = cp.sum(cp.norm(W, 2, axis=0))
    added = {
        "L1": 0.1 * cp.sum(cp.abs(W)),
        "elastic": 0.1 * cp.sum(cp.abs(W)) + 0.05 * cp.sum_squares(W),
        "rows": 0.3 * rows,
        "sparse rows": 0.1 * cp.sum(cp.abs(W)) + 0.1 * rows,
    }[penalty]
    ridge = decay / 2 * (cp.sum_squares(W) + (cp.sum_squares(b) if bias else 0))
    problem = cp.Problem(cp.Minimize(loss + added + ridge + 0 * cp.sum(b)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of inaccuracy: every use allows for 1e-8
        problem.solve(**TIGHT)
    return float(problem.value)


LOSSES = {
    "squared": (nn.MSELoss(), "real"),
    "huber": (nn.HuberLoss(delta=0.7), "real"),
    "smooth": (nn.SmoothL1Loss(beta=0.7), "real"),
    "logistic": (nn.BCEWithLogitsLoss(), "binary"),
    "classes": (nn.CrossEntropyLoss(), "classes"),
}
PENALTIES = {
    "L1": L1(0.1),
    "elastic": ElasticNet(0.1, 0.05),
    "rows": GroupL1(0.3, "rows"),
    "sparse rows": SparseGroupL1(0.2, "rows", l1_ratio=0.5),
}


def minimised(
    layer: nn.Linear, loss_fn, y: torch.Tensor, penalty, decay: float, steps: int = 20_000
) -> nn.Linear:
    """Proximal gradient with restarts of its momentum (FISTA), the slow and obvious way."""
    x = torch.as_tensor(features())
    step = 1 / (
        2 * float(torch.linalg.matrix_norm(torch.cat([x, torch.ones(ROWS, 1)], 1), 2)) ** 2 / ROWS + decay
    )
    now = [p.detach().clone() for p in layer.parameters()]
    ahead, s = [p.clone() for p in now], 1.0
    for _ in range(steps):
        for p, value in zip(layer.parameters(), ahead, strict=True):
            p.data.copy_(value)
        slopes = torch.autograd.grad(loss_fn(layer(x), y), list(layer.parameters()))
        following = [v - step * (g + decay * v) for v, g in zip(ahead, slopes, strict=True)]
        following[0] = penalty.prox(following[0], step)
        moves = [a - b for a, b in zip(following, now, strict=True)]
        turned = sum(float(((v - f) * m).sum()) for v, f, m in zip(ahead, following, moves, strict=True)) > 0
        new = 1.0 if turned else (1 + (1 + 4 * s * s) ** 0.5) / 2
        factor = 0.0 if turned else (s - 1) / new
        ahead = [f + factor * m for f, m in zip(following, moves, strict=True)]
        if max(float(m.abs().max()) for m in moves) == 0:
            break
        now, s = following, new
    for p, value in zip(layer.parameters(), now, strict=True):
        p.data.copy_(value)
    return layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("penalty", list(PENALTIES))
@pytest.mark.parametrize("kind", list(LOSSES))
def test_the_bound_holds_everywhere_and_is_met_at_the_minimum(kind: str, penalty: str, bias: bool) -> None:
    loss_fn, what = LOSSES[kind]
    y = responses(what)
    batches = [(torch.as_tensor(features())[k::3], y[k::3]) for k in range(3)]
    least = solver(kind, y.numpy(), penalty, 0.0, bias)
    layer = minimised(model(3, bias), loss_fn, y, PENALTIES[penalty], 0.0)
    found = certificate(layer, loss_fn, batches, {layer.weight: PENALTIES[penalty]})
    assert found.gap is not None
    assert found.gap <= 1e-10
    assert found.objective == pytest.approx(least, rel=1e-7)
    best = found.objective
    for scale in (0.0, 1.0, 20.0):
        layer = model(3, bias, scale=scale)
        found = certificate(layer, loss_fn, batches, {layer.weight: PENALTIES[penalty]}, convex=True)
        assert found.lower_bound is not None
        assert found.lower_bound <= best * (1 + 1e-14)
        assert found.gap == pytest.approx(found.objective - found.lower_bound, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["squared", "logistic", "classes"])
def test_coupled_weight_decay_counts_on_weight_and_bias(kind: str) -> None:
    loss_fn, what = LOSSES[kind]
    y, x = responses(what), torch.as_tensor(features())
    least = solver(kind, y.numpy(), "rows", 0.3, True)
    for layer in (model(3, True, scale=3.0), minimised(model(3, True), loss_fn, y, PENALTIES["rows"], 0.3)):
        prox = ns.attach(
            torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.3), PENALTIES["rows"], params=layer
        )
        found = certificate(layer, loss_fn, [(x, y)], prox, convex=True)
        assert found.lower_bound is not None
        assert found.lower_bound <= least + 1e-8
        assert found.objective >= least - 1e-8
    assert found.gap == pytest.approx(0, abs=1e-10)


def test_lasso_with_intercept_against_scikit_learn_and_celer() -> None:
    X, y = features(3), responses("real", 3).numpy()[:, 0]
    layer = model(1, True)
    for strength in (0.05, 0.5, 2.0):
        exact = Lasso(alpha=strength / 2, tol=1e-15, max_iter=1_000_000).fit(X, y)
        other = celer.Lasso(alpha=strength / 2, tol=1e-14, max_iter=1000, fit_intercept=True).fit(X, y)
        values = []
        for fitted in (exact, other):
            layer.weight.data[0] = torch.as_tensor(fitted.coef_)
            layer.bias.data[:] = float(fitted.intercept_)
            target = torch.as_tensor(y)[:, None]
            found = certificate(
                layer, nn.MSELoss(), [(torch.as_tensor(X), target)], L1(strength), convex=True
            )
            assert found.gap == pytest.approx(0, abs=1e-10)
            assert found.distance < 1e-6
            assert found.support == np.count_nonzero(fitted.coef_) + 1
            values.append(found.lower_bound)
        assert values[0] == pytest.approx(values[1], abs=1e-10)


def test_without_bias_it_is_the_gap_of_exact_lasso() -> None:
    X, y = features(), responses("real").numpy()[:, 0]
    for seed in range(5):
        layer = model(1, False, seed, 0.3)
        layer.weight.data += 0.5 * torch.as_tensor(np.linalg.lstsq(X, y, rcond=None)[0])
        expected = ns.methods.duality_gap(X, y, 0.3, layer.weight.detach().numpy()[0])
        found = certificate(layer, nn.MSELoss(), [(torch.as_tensor(X), torch.as_tensor(y)[:, None])], L1(0.3))
        assert found.gap == pytest.approx(expected, rel=1e-8)


def test_one_class_only() -> None:
    """The best bias is infinite, and the bound meets the infimum 0."""
    x = torch.as_tensor(features())
    layer = model(3, True, scale=0.0)
    layer.bias.data[:] = torch.tensor([60.0, 0.0, 0.0])
    found = certificate(layer, nn.CrossEntropyLoss(), [(x, torch.zeros(ROWS, dtype=torch.int64))], L1(0.1))
    assert found.gap == pytest.approx(0, abs=1e-10)
    single = model(1, True, scale=0.0)
    single.bias.data[:] = 60.0
    found = certificate(single, nn.BCEWithLogitsLoss(), [(x, torch.ones(ROWS, 1).double())], L1(0.1))
    assert found.gap == pytest.approx(0, abs=1e-10)


def test_around_the_linear_layer() -> None:
    """Images flattened before, one output flattened after; float32 weights, gap in float64."""
    x, y = torch.as_tensor(features()).float(), responses("real").float()[:, 0]
    layer = model(1, True).float()
    net = nn.Sequential(nn.Flatten(), nn.Identity(), layer, nn.Flatten(0))
    found = certificate(net, nn.MSELoss(), [(x.view(ROWS, 2, 4), y)], L1(0.1), convex=True)
    plain = certificate(layer, nn.MSELoss(), [(x, y[:, None])], L1(0.1), convex=True)
    assert found.gap == pytest.approx(plain.gap, rel=1e-12)
    assert "within" in found.what_it_says


def test_where_there_is_none_it_is_said() -> None:
    x, y = torch.as_tensor(features()), responses("real")
    layer = model(3, True)
    penalty = {layer.weight: L1(0.1)}
    mse = nn.MSELoss()
    frozen = model(3, True)
    frozen.bias.requires_grad_(False)
    halves = [(x[:15], y[:15]), (x[15:], y[15:])]
    classes = responses("classes")
    ignored = classes.clone()
    ignored[0] = -100
    cases = [
        (nn.Sequential(layer, nn.ReLU()), mse, [(x, y)], penalty, {}, "not one nn.Linear"),
        (layer, lambda a, b: mse(a, b), [(x, y)], penalty, {}, "the loss is not"),
        (layer, nn.CrossEntropyLoss(label_smoothing=0.1), [(x, classes)], penalty, {}, "the loss is not"),
        (layer, nn.CrossEntropyLoss(), [(x, ignored)], penalty, {}, "not one index >= 0"),
        (layer, nn.CrossEntropyLoss(), [(x, torch.softmax(y, 1))], penalty, {}, "not one index >= 0"),
        (layer, mse, [(x, y)], {layer.weight: MCP(0.1)}, {}, "MCP is not a convex penalty"),
        (layer, mse, [(x, y)], {layer.weight: ElasticNet(0.1, 0.0, width=0.1)}, {}, "not a convex penalty"),
        (layer, mse, [(x, y)], {layer.bias: L1(0.1)}, {}, "neither a penalty nor a ridge"),
        (layer, mse, halves, penalty, {"max_batches": 1}, "only part of the data"),
        (layer, mse, [(x, y)], penalty, {"convex": False}, "none was asked for"),
        (layer, mse, [(x, y)], penalty, {"size": lambda b: 1}, "weighs the samples"),
        (frozen, mse, [(x, y)], {frozen.weight: L1(0.1)}, {}, "other parameters are trained"),
    ]
    for net, loss_fn, batches, terms, options, words in cases:
        found = certificate(net, loss_fn, batches, terms, **options)
        assert (found.gap, found.lower_bound) == (None, None)
        assert words in found.why_no_gap
        if "convex" not in options:
            with pytest.raises(InputError, match="convex=True, but"):
                certificate(net, loss_fn, batches, terms, **options, convex=True)


def test_a_penalised_bias() -> None:
    x, y = torch.as_tensor(features()), responses("real")
    layer = model(3, True)
    W, b = cp.Variable((INPUTS, 3)), cp.Variable(3)
    z = features() @ W + np.ones((ROWS, 1)) @ cp.reshape(b, (1, 3), order="C")
    objective = cp.sum_squares(z - y.numpy()) / y.numel() + 0.1 * cp.sum(cp.abs(W)) + 0.2 * cp.sum(cp.abs(b))
    least = float(cp.Problem(cp.Minimize(objective)).solve(**TIGHT))
    layer.weight.data[:] = torch.as_tensor(W.value.T)
    layer.bias.data[:] = torch.as_tensor(b.value)
    found = certificate(
        layer, nn.MSELoss(), [(x, y)], {layer.weight: L1(0.1), layer.bias: L1(0.2)}, convex=True
    )
    assert found.lower_bound == pytest.approx(least, abs=1e-7)
    assert found.lower_bound <= least + 1e-9


class Doubled(nn.MSELoss):
    def forward(self, input, target):
        return 2 * super().forward(input, target)


class Halving(nn.Sequential):
    def forward(self, x):
        return super().forward(x) / 2


def hooked() -> nn.Linear:
    layer = model(1, True)
    layer.register_forward_hook(lambda module, args, output: output / 2)
    return layer


def test_what_only_looks_like_a_linear_problem_has_no_gap() -> None:
    """A bound of another problem would be above the minimum."""
    x, y, labels = torch.as_tensor(features()), responses("real")[:, :1], responses("classes")
    cases = [
        (model(1, True), Doubled(), y, "not a mean squared error"),
        (Halving(model(1, True)), nn.MSELoss(), y, "not one nn.Linear"),
        (hooked(), nn.MSELoss(), y, "the loss of the batches is"),
        (model(3, True), nn.CrossEntropyLoss(ignore_index=0), labels, "samples of class 0 are left out"),
    ]
    for net, loss_fn, targets, words in cases:
        found = certificate(net, loss_fn, [(x, targets)], L1(0.1))
        assert found.gap is None
        assert words in found.why_no_gap


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_perfect_fit_has_a_gap(dtype) -> None:
    """The loss is then all rounding, and no two ways of computing it agree."""
    layer = model(1, True).to(dtype)
    x = torch.as_tensor(features(), dtype=dtype)
    y = layer(x).detach()
    assert certificate(layer, nn.MSELoss(), [(x, y)], L1(1e-9)).gap is not None
