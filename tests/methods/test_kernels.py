"""The compiled loops against plain formulas in float64, and against everything a tensor can be."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import nonsmooth as ns
from nonsmooth.methods import _kernels
from nonsmooth.methods._columns import Columns, addressable, alike, count_up, fitting, fitting_steps
from nonsmooth.methods._kernels import Shrinkage, Thresholds, soft_threshold_, soft_thresholds_
from nonsmooth.methods._metric import Metric

DTYPES = [torch.float32, torch.float64]
LAYOUTS = {
    "plain": lambda x: x,
    "transposed": lambda x: x.transpose(0, 2).contiguous().transpose(0, 2),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "0-d": lambda x: x.reshape(-1)[3].clone(),
    "empty": lambda x: x[:0].clone(),
    "not aligned": lambda x: x.reshape(-1)[1:],
}
METRICS = {
    "number": lambda v: Metric(0.3),
    "root": lambda v: Metric(0.1, v, 1.7, 1e-3),
    "no root": lambda v: Metric(0.1, v, 1.7, 1e-3, root=False),
    "0-d tensors": lambda v: Metric(torch.tensor(0.125), v, torch.tensor(2.0), 0.25),
}


@pytest.fixture
def threads():
    """Sets the number of threads; all is put back after."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def _oracle(x: torch.Tensor, l1: float, l2: float, metric: Metric) -> torch.Tensor:
    """argmin_u l1 |u| + l2 u^2 + (u - x)^2 / (2 s), in float64."""
    x, s = x.double(), torch.as_tensor(metric.numerator).double()
    if metric.moment is not None:
        moment = metric.moment.double()
        s = s / ((moment.sqrt() if metric.root else moment) * metric.scale + metric.eps)
    return x.sign() * (x.abs() - s * l1).clamp(min=0) / (1 + 2 * s * l2)


@pytest.mark.parametrize(("l1", "l2"), [(0.2, 0.0), (0.2, 0.7), (0.0, 0.7), (0.0, 0.0)])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_threshold_is_the_prox(dtype, layout: str, metric: str, l1: float, l2: float) -> None:
    torch.manual_seed(0)
    x, v = (LAYOUTS[layout](torch.randn(6, 5, 4, 3, dtype=dtype)) for _ in range(2))
    v = torch.empty_like(x).copy_(v.square())
    wanted = METRICS[metric](v)
    expected = _oracle(x, l1, l2, wanted)
    kept = v.clone()
    assert soft_threshold_(x, l1, l2, wanted)
    torch.testing.assert_close(x.double(), expected, rtol=4 * torch.finfo(dtype).eps, atol=1e-7)
    assert torch.equal(x == 0, expected.to(dtype) == 0)
    assert torch.equal(v, kept)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("root", [True, False])
def test_finite_weights_stay_finite_and_nan_stays_nan(dtype, root: bool) -> None:
    """Every combination of the values where something overflows, underflows or is 0/0."""
    info = torch.finfo(dtype)
    special = [0.0, info.smallest_normal / 4, info.smallest_normal, 1e-20, 1e-8, 1.0, 1e20, info.max]
    points = torch.tensor([*special, *(-each for each in special)], dtype=dtype)
    moments = torch.tensor([*special, float("inf")], dtype=dtype)
    x, v = (each.reshape(-1).contiguous() for each in torch.meshgrid(points, moments, indexing="ij"))
    for numerator in (0.0, 1e-30, 1e-3, 1e6):
        for eps in (0.0, 1e-8):
            for l1, l2 in ((0.0, 0.0), (1e-4, 0.0), (0.0, 1e-4), (2.0, 3.0)):
                u = x.clone()
                assert soft_threshold_(u, l1, l2, Metric(numerator, v, 1.5, eps, root))
                assert u.isfinite().all()
                assert (u.abs() <= x.abs()).all()
                if l1 == l2 == 0 or numerator == 0:
                    assert torch.equal(u, x)
                if l1 > 0 and numerator == 1e6:
                    assert (u[(v == 0) & (x.abs() < 1e9)] == 0).all()
    x[::2] = float("nan")
    assert soft_threshold_(x, 2.0, 0.0, Metric(1e6, v, 1.5, 0.0, root))
    assert x[::2].isnan().all()
    assert x[1::2].isfinite().all()


@pytest.mark.parametrize("moment", [None, torch.zeros(3), torch.ones(3)])
def test_an_infinite_step_is_infinite_only_for_a_strength(moment) -> None:
    x = torch.tensor([1.0, -2.0, 0.0])
    for l1, l2, expected in (
        (0.0, 0.0, x.clone()),
        (1e-9, 0.0, x * 0),
        (0.0, 1e-9, x * 0),
        (1e-9, 1.0, x * 0),
    ):
        u = x.clone()
        assert soft_threshold_(u, l1, l2, Metric(float("inf"), moment))
        assert torch.equal(u, expected)


@given(
    x=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40),
    step=st.floats(0, 5),
    l1=st.floats(0, 5),
    l2=st.floats(0, 5),
)
def test_it_is_what_the_penalty_says(x, step: float, l1: float, l2: float) -> None:
    point = torch.tensor(x, dtype=torch.float64)
    expected = ns.ElasticNet(l1, l2).prox(point, step)
    assert soft_threshold_(point, l1, l2, Metric(step))
    torch.testing.assert_close(point, expected, rtol=1e-15, atol=1e-300)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_entry_depends_on_nothing_but_itself(dtype, threads, monkeypatch) -> None:
    """The same bits on one thread and on three, cut anywhere, alone and among other tensors."""
    x, v = torch.randn(10_007, dtype=dtype), torch.rand(10_007, dtype=dtype)
    metric = Metric(0.05, v, 1.1, 1e-8)
    whole = x.clone()
    threads(1)
    assert soft_threshold_(whole, 1.0, 0.1, metric)
    monkeypatch.setattr(_kernels, "_ALONE", 97)
    monkeypatch.setattr(_kernels, "_PIECE", 101)
    threads(3)
    cut = x.clone()
    assert soft_threshold_(cut, 1.0, 0.1, metric)
    assert torch.equal(cut, whole)
    pieces = [each.clone() for each in x.split(13)]
    moments = [each.clone() for each in v.split(13)]
    work = [Shrinkage(p, 1.0, 0.1, Metric(0.05, m, 1.1, 1e-8)) for p, m in zip(pieces, moments, strict=True)]
    assert soft_thresholds_(work) == []
    assert torch.equal(torch.cat(pieces), whole)


CHANGES = {
    "none": lambda work, k: work[k],
    "strength": lambda work, k: work[k]._replace(l1=0.3),
    "entries elsewhere": lambda work, k: _with_data(work[k], work[k].parameter.detach().clone()),
    "moment elsewhere": lambda work, k: _with_moment(work[k], torch.rand_like),
    "another type": lambda work, k: _with_moment(
        _with_data(work[k], work[k].parameter.detach().double()), lambda p: torch.rand_like(p)
    ),
    "another order": lambda work, k: _with_data(work[k], work[k].parameter.detach().t()),
    "no moment": lambda work, k: _with_moment(work[k], lambda p: None),
    "another parameter": lambda work, k: work[k]._replace(parameter=nn.Parameter(torch.randn(6, 5))),
    "half precision": lambda work, k: _with_moment(
        _with_data(work[k], work[k].parameter.detach().bfloat16()), lambda p: torch.rand_like(p)
    ),
    "a step elsewhere": lambda work, k: _with_number(work[k], torch.tensor(0.1, device="meta")),
}


def _with_data(each: Shrinkage, data: torch.Tensor) -> Shrinkage:
    each.parameter.data = data
    return each


def _with_moment(each: Shrinkage, make) -> Shrinkage:
    return each._replace(metric=each.metric._replace(moment=make(each.parameter.detach())))


def _with_number(each: Shrinkage, number: torch.Tensor) -> Shrinkage:
    return each._replace(metric=each.metric._replace(numerator=number))


def _places(work, some) -> list[int]:
    return [k for k, each in enumerate(work) if any(each is one for one in some)]


def _all_at_once(thresholds: Thresholds, work: list[Shrinkage]) -> bool:
    metrics = [each.metric for each in work]
    return thresholds(
        [each.parameter for each in work],
        [(each.l1, each.l2) for each in work],
        metrics,
        [metric.moment for metric in metrics],
    )


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("count", [1, 7])
def test_parameters_known_again_have_changed_or_not(count: int, change: str) -> None:
    """Whatever changes between two steps, they are those of an operation that remembers nothing."""
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(6, 5)) for _ in range(count)]
    moments = [torch.rand(6, 5) for _ in ours]
    work = [Shrinkage(p, 0.1, 0.2, Metric(0.5, m, 1.1, 1e-8)) for p, m in zip(ours, moments, strict=True)]
    again = Thresholds()
    for _ in range(2):
        assert _all_at_once(again, work)
    for k in {0, count - 1}:
        work[k] = CHANGES[change](work, k)
    for _ in range(3):
        copies = [each._replace(parameter=each.parameter.detach().clone()) for each in work]
        versions = [each.parameter._version for each in work]
        left = [] if _all_at_once(again, work) else _places(work, soft_thresholds_(work))
        assert left == _places(copies, soft_thresholds_(copies))
        for k, (each, copy) in enumerate(zip(work, copies, strict=True)):
            assert torch.equal(each.parameter, copy.parameter)
            assert (each.parameter._version > versions[k]) == (k not in left)


def test_many_at_once_with_their_own_strengths_and_types() -> None:
    torch.manual_seed(0)
    points = [torch.randn(5, dtype=dtype) for dtype in (*DTYPES, torch.bfloat16, *DTYPES)]
    before = [p.clone() for p in points]
    work = [Shrinkage(p, 0.1 * k, 0.2 * k, Metric(1.0)) for k, p in enumerate(points)]
    assert soft_thresholds_(work) == [work[2]]
    for k, (p, old) in enumerate(zip(points, before, strict=True)):
        expected = old.double() if k == 2 else _oracle(old, 0.1 * k, 0.2 * k, Metric(1.0))
        torch.testing.assert_close(p.double(), expected, rtol=1e-6, atol=1e-7)


class _Subclass(torch.Tensor):
    pass


def _inference() -> torch.Tensor:
    with torch.inference_mode():
        return torch.ones(4)


REFUSED = {
    "half": lambda: torch.ones(4, dtype=torch.float16),
    "integers": lambda: torch.ones(4, dtype=torch.int64),
    "complex": lambda: torch.ones(4, dtype=torch.complex64),
    "sparse": lambda: torch.eye(4).to_sparse(),
    "rows of a block": lambda: torch.ones(4, 8).t()[::2].t(),
    "overlapping": lambda: torch.ones(1).expand(4),
    "elsewhere": lambda: torch.ones(4, device="meta"),
    "subclass": lambda: torch.ones(4).as_subclass(_Subclass),
    "inference": _inference,
    "negated lazily": lambda: torch.ones(4, dtype=torch.complex64).conj().imag,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_for_the_loops_is_left_to_torch(name: str) -> None:
    x = REFUSED[name]()
    assert not addressable(x)
    assert not soft_threshold_(x, 1.0, 0.0, Metric(1.0))
    if name not in ("elsewhere", "sparse", "inference"):
        assert torch.equal(x, REFUSED[name]())
    if name not in ("inference", "rows of a block", "overlapping"):
        plain = torch.zeros(x.shape)
        assert not alike(plain, x)


@pytest.mark.parametrize("name", REFUSED)
def test_one_among_many_is_found(name: str) -> None:
    """The look at all tensors at once lets none through that the look at each does not."""
    fine = [torch.ones(4) for _ in range(6)]
    odd = [*fine[:3], REFUSED[name](), *fine[3:]]
    assert fitting(fine, fine) == [0, 1, 2, 3, 4, 5]
    assert fitting([*fine, fine[0]], odd) == [k for k in range(7) if k != 3 or alike(fine[0], odd[3])]
    assert fitting(odd, [None] * 7) == [0, 1, 2, 4, 5, 6]


def test_a_moment_or_number_elsewhere_is_left_to_torch() -> None:
    x = torch.ones(4, 3)
    for moment in (
        torch.ones(3, 4).t(),
        torch.ones(4, 3).double(),
        torch.ones(3),
        torch.ones(4, 3, device="meta"),
    ):
        assert not soft_threshold_(x, 1.0, 0.0, Metric(1.0, moment))
    assert not soft_threshold_(x, 1.0, 0.0, Metric(torch.tensor(1.0, device="meta")))
    assert (x == 1).all()


def test_a_gradient_laid_out_otherwise_is_brought_in_line() -> None:
    x = torch.zeros(3, 4)
    gradient = torch.randn(4, 3).t()
    places, (lined_up,) = fitting_steps([x], [gradient])
    assert places == [0]
    assert torch.equal(lined_up, gradient)
    assert alike(x, lined_up)
    assert fitting_steps([x], [lined_up])[1][0] is lined_up
    assert fitting_steps([x, x.bool()], [gradient, gradient], [x, x])[0] == [0]


@pytest.mark.parametrize("dtypes", [[torch.float32] * 5, [torch.float64] * 4, [torch.bfloat16, *DTYPES * 2]])
def test_counts(dtypes) -> None:
    steps = [torch.tensor(float(k), dtype=dtype) for k, dtype in enumerate(dtypes)]
    known = Columns()
    for more in (1.0, 2.0):
        expected = [k + more for k in range(len(steps))]
        assert count_up(steps, known) == expected
        assert [step.item() for step in steps] == expected


def test_autograd_notices() -> None:
    """A weight that a backward pass still needs is not changed behind its back."""
    w = nn.Parameter(torch.ones(3))
    loss = (w * w).sum()
    with torch.no_grad():
        assert soft_threshold_(w, 1.0, 0.0, Metric(0.5))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_several_python_threads_at_once(threads, monkeypatch) -> None:
    monkeypatch.setattr(_kernels, "_ALONE", 100)
    threads(3)
    points = [torch.randn(20_000) for _ in range(4)]
    expected = [_oracle(x, 0.01, 0.0, Metric(1.0)) for x in points]
    wrong = []

    def work(x: torch.Tensor, wanted: torch.Tensor) -> None:
        for _ in range(20):
            u = x.clone()
            soft_threshold_(u, 0.01, 0.0, Metric(1.0))
            wrong.append(float((u - wanted).abs().max()))

    at_once = [threading.Thread(target=work, args=pair) for pair in zip(points, expected, strict=True)]
    for each in at_once:
        each.start()
    for each in at_once:
        each.join()
    assert len(wrong) == 80
    assert max(wrong) < 1e-6


def test_the_least_normal_number_is_what_the_formula_says() -> None:
    """Where the denominator vanishes the step is numerator / tiny: huge, and known."""
    tiny = float(np.finfo(np.float32).tiny)
    x = torch.tensor([1.0], dtype=torch.float32)
    assert soft_threshold_(x, tiny / 4, 0.0, Metric(2.0, torch.zeros(1), 1.0, 0.0))
    assert x.item() == 0.5
