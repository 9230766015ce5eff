"""One-sided derivatives: closed forms at kinks, difference quotients elsewhere and along ties."""

import json
import math
import random
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn import functional

from nonsmooth.diagnostics._one_sided import one_sided
from nonsmooth.errors import InputError
from nonsmooth.networks import vgg


class _Of(nn.Module):
    """A function of one parameter vector; the batch is a dummy."""

    def __init__(self, start, function):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        self.function = function

    def forward(self, x):
        return self.function(self.w)


def _sides(start, function, direction, **options):
    model = _Of(start, function)
    batch = (torch.ones(1, 1), torch.ones(1))
    d = torch.tensor(direction, dtype=torch.float64)
    return one_sided(model, lambda out, y: out.sum(), [batch], d, **options)


def _steps(model, loss, batch, direction, h):
    """(f(x + h d) - f(x))/h, by moving the weights."""
    x, y = batch
    parameters = list(model.parameters())
    kept = [p.detach().clone() for p in parameters]
    values = []
    with torch.no_grad():
        for t in (0.0, h):
            for p, start, d in zip(parameters, kept, direction, strict=True):
                p.copy_(start + t * d)
            values.append(float(loss(model(x), y)))
        for p, start in zip(parameters, kept, strict=True):
            p.copy_(start)
    return (values[1] - values[0]) / h


CLOSED = [
    # start, function, direction, f'(x; d), f'(x; -d)
    ([0.0], lambda w: torch.relu(w), [2.0], 2.0, 0.0),
    ([0.0], lambda w: w.abs(), [3.0], 3.0, 3.0),
    ([0.0], lambda w: torch.relu(w) - torch.relu(-w), [1.0], 1.0, -1.0),  # the identity, in disguise
    ([0.0], lambda w: torch.relu(-torch.relu(w) + w), [1.0], 0.0, 0.0),
    ([0.0], lambda w: torch.relu(-w) * 2, [1.0], 0.0, 2.0),
    ([0.0], lambda w: functional.leaky_relu(w, 0.25), [1.0], 1.0, -0.25),
    ([1.0], lambda w: w.clamp(-1, 1), [1.0], 0.0, -1.0),
    ([-1.0], lambda w: functional.hardtanh(w), [1.0], 1.0, 0.0),
    ([6.0], lambda w: functional.relu6(w), [1.0], 0.0, -1.0),
    ([-3.0], lambda w: functional.hardswish(w), [1.0], -0.5, 0.0),
    ([3.0], lambda w: functional.hardswish(w), [1.0], 1.0, -1.5),
    ([3.0], lambda w: functional.hardsigmoid(w), [6.0], 0.0, -1.0),
    ([0.5], lambda w: functional.softshrink(w, 0.5), [1.0], 1.0, 0.0),
    ([0.0], lambda w: functional.elu(w, 2.0), [1.0], 1.0, -2.0),
    ([0.0], lambda w: functional.elu(w, 1.0), [1.0], 1.0, -1.0),
    (
        [0.0],
        lambda w: functional.selu(w),
        [1.0],
        1.0507009873554805,
        -1.0507009873554805 * 1.6732632423543772,
    ),
    ([1.0], lambda w: functional.threshold(w, 1.0, 1.0), [1.0], 1.0, 0.0),
    ([1.0, 1.0], lambda w: torch.maximum(w[0], w[1]), [3.0, -2.0], 3.0, 2.0),
    ([1.0, 1.0], lambda w: torch.minimum(w[0], w[1]), [3.0, -2.0], -2.0, -3.0),
    ([1.0, 1.0], lambda w: w.clamp(min=1.0).max(), [3.0, -2.0], 3.0, 2.0),
    ([0.0, 0.0, -1.0], lambda w: w.max(), [3.0, -2.0, 9.0], 3.0, 2.0),
    ([0.0, 0.0, 1.0], lambda w: w.amin(), [3.0, -2.0, -9.0], -2.0, -3.0),
    ([0.0, 0.0], lambda w: torch.linalg.vector_norm(w), [3.0, 4.0], 5.0, 5.0),
    ([0.0, 0.0], lambda w: (w.abs() - torch.relu(w)).sum() + (w**2).sum(), [1.0, -2.0], 2.0, 1.0),
]


@pytest.mark.parametrize("case", CLOSED, ids=[str(k) for k in range(len(CLOSED))])
def test_closed_forms_at_kinks(case):
    start, function, direction, ahead, back = case
    found = _sides(start, function, direction)
    assert found.exact
    # by hand, and by quotients on the piecewise linear or smooth function itself
    model = _Of(start, function)
    batch = (torch.ones(1, 1), torch.ones(1))
    for sign, value in ((1, found.forward), (-1, found.backward)):
        d = [sign * torch.tensor(direction, dtype=torch.float64)]
        assert value == pytest.approx(_steps(model, lambda o, y: o.sum(), batch, d, 1e-7), abs=1e-5)
    # torch's hardsigmoid takes 1/6 in float32 for float64 as well
    assert (found.forward, found.backward) == pytest.approx(
        (ahead, back), abs=1e-7 if start == [3.0] else 1e-13
    )


def test_selection_among_ties_by_row():
    w = [[0.0, 0.0], [1.0, 2.0]]
    d = [1.0, -5.0, 7.0, 0.5]
    model = _Of(w, lambda w: w.max(1).values)
    batch = (torch.ones(1, 1), torch.ones(1))
    found = one_sided(model, lambda o, y: o.sum(), [batch], torch.tensor(d, dtype=torch.float64))
    assert (found.forward, found.backward) == pytest.approx((1.0 + 0.5, 5.0 - 0.5))
    assert [(t.operation, t.count, t.moving) for t in found.ties] == [("max", 1, 1)]


@pytest.mark.parametrize("options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("dilation", [1, 2])
def test_max_pooling_of_ties(options, ceil_mode, dilation):
    """All entries tied at 0: the derivative is the pooling of the direction itself."""
    if dilation == 2 and options["kernel_size"] == 3:
        options = {**options, "padding": 1}
    torch.manual_seed(0)
    pool = nn.MaxPool2d(**options, ceil_mode=ceil_mode, dilation=dilation)
    d = torch.randn(1, 2, 7, 6, dtype=torch.float64)
    model = _Of(torch.zeros(1, 2, 7, 6).tolist(), pool)
    weights = torch.randn_like(pool(d))
    batch = (torch.ones(1, 1), torch.ones(1))
    found = one_sided(model, lambda o, y: (o * weights).sum(), [batch], [d])
    assert found.forward == pytest.approx(float((pool(d) * weights).sum()), abs=1e-12)
    assert found.backward == pytest.approx(float((pool(-d) * weights).sum()), abs=1e-12)
    assert found.exact
    assert found.jump != 0


class _Written(nn.Module):
    """Views, slices and operations in place, as hand-written models have them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        z = self.a(x)
        out = torch.zeros(len(x), 5, dtype=x.dtype)
        out[:, :3] = functional.relu_(z[:, :3].clone())
        out[:, 3:] = torch.maximum(z[:, 3:], z[:, :2])
        out += z.abs()
        out.t()[0].mul_(2.0).add_(z[:, 0] ** 2)
        return self.b(functional.relu(out, inplace=True))


def _networks():
    return {
        "mlp": (nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), (8, 6)),
        "written": (_Written(), (8, 6)),
        "vgg": (vgg(11, size=8, channels=1, batch_norm=True, pooling="max", classes=3), (6, 1, 8, 8)),
        "transformer": (
            nn.Sequential(
                nn.TransformerEncoderLayer(6, 2, 16, batch_first=True, dropout=0.0),
                nn.Flatten(),
                nn.Linear(24, 3),
            ),
            (5, 4, 6),
        ),
    }


@pytest.mark.parametrize("name", list(_networks()))
def test_networks_against_quotients_and_autograd(name):
    torch.manual_seed(1)
    model, shape = _networks()[name]
    model.double()
    x, y = torch.randn(shape, dtype=torch.float64), torch.randint(0, 3, (shape[0],))
    d = [torch.randn_like(p) for p in model.parameters()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    found = one_sided(model, functional.cross_entropy, [(x[:3], y[:3]), (x[3:], y[3:])], d)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert found.exact
    assert found.samples == shape[0]
    assert found.forward == pytest.approx(found.autograd, rel=1e-9)
    assert found.backward == pytest.approx(-found.forward, rel=1e-9)
    if name != "vgg":  # batch norm sees batches, not the whole
        assert found.forward == pytest.approx(
            _steps(model, functional.cross_entropy, (x, y), d, 1e-8), rel=1e-5
        )


def test_a_network_whose_units_are_at_their_kinks():
    """Zero first layer: every pre-activation is 0, autograd says 0, and both sides are known by quotients."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3)).double()
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    x, y = torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 3, (9,))
    d = [torch.randn_like(p) for p in model.parameters()]
    d[2].zero_(), d[3].zero_()
    found = one_sided(model, functional.cross_entropy, [(x, y)], d)
    for sign, value in ((1.0, found.forward), (-1.0, found.backward)):
        way = [sign * each for each in d]
        assert value == pytest.approx(_steps(model, functional.cross_entropy, (x, y), way, 1e-7), abs=1e-5)
    assert found.autograd == 0.0
    assert abs(found.jump) > 1e-3
    assert [(t.module, t.operation, t.count, t.moving) for t in found.ties] == [("1", "relu", 63, 63)]
    assert "63 arguments are at a kink" in found.evidence


def test_a_tolerance_takes_a_converged_kink_for_one():
    off = _sides([1e-13], lambda w: w.abs(), [1.0])
    assert (off.forward, off.backward) == (1.0, -1.0)
    at = _sides([1e-13], lambda w: w.abs(), [1.0], tolerance=1e-12)
    assert (at.forward, at.backward) == (1.0, 1.0)


def test_dropout_has_one_mask_on_both_sides():
    torch.manual_seed(0)
    found = _sides([0.0] * 50, lambda w: functional.dropout(w.abs(), 0.5), [1.0] * 50)
    assert found.forward == found.backward
    assert 0 < found.forward < 100


def test_a_jump_is_not_called_exact():
    found = _sides([1.0], lambda w: torch.floor(w) + w, [1.0])
    assert not found.exact
    assert "floor" in found.evidence
    assert not _sides([2.0, 1.0], lambda w: w.sort().values[0], [1.0, 0.0]).exact


def _l1_network(x, y, w, v, u):
    """mean_i |sum_j v_j relu(w_j . x_i) + u - y_i| over the rationals, its derivative along (dw, dv, du)."""

    def along(dw, dv, du):
        total = Fraction(0)
        for row, target in zip(x, y, strict=True):
            out, rate = u - target, du
            for wj, vj, dwj, dvj in zip(w, v, dw, dv, strict=True):
                z = sum(a * b for a, b in zip(wj, row, strict=True))
                dz = sum(a * b for a, b in zip(dwj, row, strict=True))
                active, moved = (max(z, 0), dz if z > 0 else max(dz, 0) if z == 0 else 0)
                out, rate = out + vj * active, rate + dvj * active + vj * moved
            total += rate if out > 0 else -rate if out < 0 else abs(rate)
        return total / len(x)

    return along


@pytest.mark.parametrize("seed", range(12))
def test_a_small_network_against_exact_rationals(seed):
    """Small whole numbers: many units and residuals are exactly at their kinks, and nothing is rounded."""
    rng = random.Random(seed)

    def whole(*shape):
        if not shape:
            return Fraction(rng.randint(-1, 1))
        return [whole(*shape[1:]) for _ in range(shape[0])]

    x, y, w, v, u = whole(8, 3), whole(8), whole(4, 3), whole(4), whole()
    dw, dv, du = whole(4, 3), whole(4), whole()
    exact = _l1_network(x, y, w, v, u)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 1)).double()

    def tensor(rows):
        return torch.tensor([[float(e) for e in r] for r in rows], dtype=torch.float64)

    with torch.no_grad():
        model[0].weight.copy_(tensor(w)), model[2].weight.copy_(tensor([v])), model[2].bias.fill_(float(u))
    batch = (tensor(x), tensor([y]).T)
    d = [tensor(dw), tensor([dv]), torch.tensor([float(du)], dtype=torch.float64)]
    found = one_sided(model, functional.l1_loss, [batch], d)
    assert found.exact
    assert sum(tie.count for tie in found.ties) > 0
    assert (found.forward, found.backward) == (
        exact(dw, dv, du),
        exact([[-e for e in r] for r in dw], [-e for e in dv], -du),
    )


def test_observations():
    smooth = _sides([1.0], lambda w: w.abs(), [1.0]).observation()
    assert (smooth.id, smooth.level) == ("one-sided-slopes", "fine")
    kink = _sides([0.0], lambda w: w.abs(), [1.0]).observation()
    assert kink.level == "warning"
    assert kink.remedy
    assert "f'(x; d) = 1, f'(x; -d) = 1 (float64)" in kink.evidence
    # torch takes 0 and 0 for relu at 0, so it misses the slope of the difference
    hidden = _sides([0.0], lambda w: torch.relu(w) - torch.relu(-w), [-1.0]).observation()
    assert hidden.title == "The loss descends along this direction, and autograd shows no descent."
    promised = _sides([0.0], lambda w: torch.relu(-w) * 2 - w.clamp(min=0) + w.clamp(max=0), [-1.0])
    assert promised.forward > 0
    jump = _sides([1.0], lambda w: torch.floor(w) + w, [1.0]).observation()
    assert jump.level == "unknown"
    json.dumps(kink.as_dict()), json.dumps(jump.as_dict())


def test_float32_rounding_is_not_taken_for_a_kink():
    torch.manual_seed(0)
    model = vgg(11, size=8, channels=1, classes=3)
    x, y = torch.randn(16, 1, 8, 8), torch.randint(0, 3, (16,))
    found = one_sided(
        model, functional.cross_entropy, [(x, y)], [torch.randn_like(p) for p in model.parameters()]
    )
    assert found.agrees
    assert found.observation().level == "fine"


def test_models_that_cannot_be_looked_at():
    batch, d = (torch.ones(2, 3), torch.ones(2, 2)), torch.ones(8)
    broken = nn.Linear(3, 2)
    nn.init.constant_(broken.weight, math.nan)
    with pytest.raises(InputError, match="not finite"):
        one_sided(broken, functional.mse_loss, [batch], d)
    with pytest.raises(InputError, match="the model or the loss raises RuntimeError"):
        one_sided(nn.Linear(3, 2), functional.mse_loss, [(torch.ones(2, 5), batch[1])], d)
    with pytest.raises(InputError, match="raises IndexError"):
        one_sided(nn.Linear(3, 2), lambda out, y: out[0, 0, 0], [batch], d)
    with pytest.raises(InputError, match="batches raises TypeError"):
        one_sided(nn.Linear(3, 2), functional.mse_loss, 3, d)
    with pytest.raises(InputError, match="lazy module"):
        one_sided(nn.LazyLinear(2), functional.mse_loss, [batch], d)
    with pytest.raises(InputError, match="no parameter"):
        one_sided(nn.ReLU(), functional.mse_loss, [batch], d)
    with pytest.raises(InputError, match="meta device"):
        one_sided(nn.Linear(3, 2, device="meta"), functional.mse_loss, [batch], d)
    with pytest.raises(InputError, match=r"give a torch\.nn\.Module"):
        one_sided(lambda x: x, functional.mse_loss, [batch], d)


@pytest.mark.parametrize(
    ("direction", "said"),
    [
        (torch.ones(5), "shape"),
        (torch.zeros(2), "0 everywhere"),
        ({"nobody": torch.ones(2)}, "names 'nobody'"),
        ({"w": torch.ones(3)}, "shape"),
        ([torch.ones(2), torch.ones(2)], "2 tensors"),
        (torch.tensor([1.0, math.inf]), "not finite"),
    ],
)
def test_directions_that_do_not_fit(direction, said):
    model = _Of([1.0, 2.0], lambda w: w.abs())
    with pytest.raises(InputError, match=said):
        one_sided(model, lambda o, y: o.sum(), [(torch.ones(1, 1), torch.ones(1))], direction)


def test_what_cannot_be_differentiated_is_said():
    with pytest.raises(InputError, match="not finite"):
        _sides([0.0], lambda w: w.sqrt(), [1.0])
    with pytest.raises(InputError, match="past autograd"):
        _sides([1.0], lambda w: torch.as_tensor(w.detach().numpy()) * 2 + w, [1.0])


@pytest.mark.parametrize("hidden", [lambda w: w.detach(), lambda w: w.data], ids=["detach", "data"])
def test_the_function_as_computed_is_differentiated(hidden):
    found = _sides([1.0], lambda w: hidden(w) * 2 + w, [1.0])
    assert (found.forward, found.autograd) == (3.0, 1.0)
