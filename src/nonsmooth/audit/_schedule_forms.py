"""The closed forms of torch's own schedulers, and what becomes of their step sizes if they run for ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.optim import lr_scheduler as schedulers

__all__ = ["Tail", "closed_form", "tail_of"]

Form = Callable[[Any, np.ndarray, np.ndarray], np.ndarray]


def closed_form(scheduler: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray | None:
    """Step sizes (G, T) after ``t`` (T,) scheduler steps, None for a class without a form here.

    Args:
        scheduler: only its settings are read; its functions are called.
        base: (G,) the initial step sizes, as the scheduler understands them.
        t: scheduler steps since the beginning, >= 0.
    """
    form = _FORMS.get(type(scheduler))
    return None if form is None else form(scheduler, base[:, None], t)


def _factor(factor: Callable[[Any, np.ndarray], np.ndarray]) -> Form:
    return lambda s, base, t: base * factor(s, t)


def _multi_step(s: Any, t: np.ndarray) -> np.ndarray:
    return s.gamma ** np.searchsorted(sorted(s.milestones.elements()), t, side="right").astype(float)


def _constant(s: Any, t: np.ndarray) -> np.ndarray:
    return np.where(t >= s.total_iters, 1.0, s.factor)


def _linear(s: Any, t: np.ndarray) -> np.ndarray:
    return s.start_factor + (s.end_factor - s.start_factor) * np.minimum(t, s.total_iters) / s.total_iters


def _polynomial(s: Any, t: np.ndarray) -> np.ndarray:
    return (1 - np.minimum(t, s.total_iters) / s.total_iters) ** s.power


def _cosine(s: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray:
    return s.eta_min + (base - s.eta_min) * (1 + np.cos(np.pi * t / s.T_max)) / 2


def _restarts(s: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray:
    if s.T_mult == 1:
        length, within = np.full(t.shape, float(s.T_0)), t % s.T_0
    else:  # the n-th period starts at T_0 (m^n - 1)/(m - 1)
        starts, begin, period = [0], 0, s.T_0
        while begin <= t.max(initial=0):
            begin += period
            period *= s.T_mult
            starts.append(begin)
        n = np.searchsorted(starts, t, side="right") - 1
        length, within = s.T_0 * float(s.T_mult) ** n, t - np.array(starts)[n]
    return s.eta_min + (base - s.eta_min) * (1 + np.cos(np.pi * within / length)) / 2


def _cyclic(s: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray:
    base = np.array([float(each) for each in s.base_lrs])[:, None]
    peak = np.array([float(each) for each in s.max_lrs])[:, None]
    cycle = np.floor(1 + t / s.total_size)
    x = 1.0 + t / s.total_size - cycle
    with np.errstate(divide="ignore", invalid="ignore"):
        height = np.where(x <= s.step_ratio, x / s.step_ratio, (x - 1) / (s.step_ratio - 1))
    scale = [s.scale_fn(float(each)) for each in (cycle if s.scale_mode == "cycle" else t)]
    return base + (peak - base) * height * np.array(scale)


def _one_cycle(s: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray:
    rows = []
    for group in s.optimizer.param_groups:
        size, start = np.full(t.shape, np.nan), 0.0
        for k, phase in enumerate(s._schedule_phases):
            end = phase["end_step"]
            here = np.isnan(size) & ((t <= end) | (k == len(s._schedule_phases) - 1))
            share = (t - start) / (end - start) if end != start else np.zeros(t.shape)
            first, last = float(group[phase["start_lr"]]), float(group[phase["end_lr"]])
            if s._anneal_func_type == "cos":
                value = last + (first - last) / 2 * (np.cos(np.pi * share) + 1)
            else:
                value = (last - first) * share + first
            size = np.where(here, value, size)
            start = end
        rows.append(size)
    return np.array(rows)


def _lambda(s: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray:
    return base * np.array([[float(each(int(k))) for k in t] for each in s.lr_lambdas])


def _multiplicative(s: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray:
    last = int(t.max(initial=0))
    factors = [[1.0, *(float(each(k)) for k in range(1, last + 1))] for each in s.lr_lambdas]
    return base * np.cumprod(factors, axis=1)[:, t.astype(int)]


# The first starts from what it finds, the second ends, the third cannot begin anew.
_NOT_NESTED = (schedulers.MultiplicativeLR, schedulers.OneCycleLR, schedulers.SequentialLR)


def _sequential(s: Any, base: np.ndarray, t: np.ndarray) -> np.ndarray | None:
    sizes = np.empty((len(base), len(t)))
    starts = [0, *s._milestones]
    which = np.searchsorted(s._milestones, t, side="right")
    for k, (each, start) in enumerate(zip(s._schedulers, starts, strict=True)):
        here = which == k
        part = closed_form(each, base[:, 0], t[here] - start)
        if part is None or type(each) in _NOT_NESTED:
            return None
        sizes[:, here] = part
    return sizes


_FORMS: dict[type, Any] = {
    schedulers.StepLR: _factor(lambda s, t: s.gamma ** (t // s.step_size)),
    schedulers.MultiStepLR: _factor(_multi_step),
    schedulers.ConstantLR: _factor(_constant),
    schedulers.LinearLR: _factor(_linear),
    schedulers.ExponentialLR: _factor(lambda s, t: s.gamma ** t.astype(float)),
    schedulers.PolynomialLR: _factor(_polynomial),
    schedulers.CosineAnnealingLR: _cosine,
    schedulers.CosineAnnealingWarmRestarts: _restarts,
    schedulers.CyclicLR: _cyclic,
    schedulers.OneCycleLR: _one_cycle,
    schedulers.LambdaLR: _lambda,
    schedulers.MultiplicativeLR: _multiplicative,
    schedulers.SequentialLR: _sequential,
}


@dataclass(frozen=True)
class Tail:
    """The step sizes if the training went on for ever.

    Attributes:
        sum_finite: whether their sum is finite; None where that cannot be known.
        squares_finite: likewise the sum of their squares.
        vanishes: whether they tend to 0.
        why: in words.
        exponent: p where the step size falls like t^-p as far as it was looked at; None if not looked at.
    """

    sum_finite: bool | None
    squares_finite: bool | None
    vanishes: bool | None
    why: str
    exponent: float | None = None


def _forever(why: str) -> Tail:
    return Tail(False, False, False, why)


def _gone(why: str) -> Tail:
    return Tail(True, True, True, why)


def tail_of(scheduler: Any, base: np.ndarray) -> Tail:
    """What becomes of the step sizes of a scheduler (None: constant ones), with initial sizes ``base``."""
    if not base.any() and (scheduler is None or type(scheduler) in _FACTORS):
        return _gone("the step size is 0")
    if scheduler is None:
        return _forever("the step size is constant")
    find = _TAILS.get(type(scheduler))
    if find is None:
        unknown = f"{type(scheduler).__name__} is not one of torch's schedulers"
        return Tail(None, None, None, unknown)
    return find(scheduler, base)


def _geometric(s: Any, base: np.ndarray) -> Tail:
    if abs(s.gamma) < 1:
        return _gone(f"the step size falls geometrically, by gamma = {s.gamma:g}")
    return _forever(
        "the step size is constant" if s.gamma == 1 else f"the step size grows, gamma = {s.gamma:g}"
    )


def _end(name: str, value: Callable[[Any], float]) -> Callable[[Any, np.ndarray], Tail]:
    """A scheduler whose factor is constant from some step on."""

    def find(s: Any, base: np.ndarray) -> Tail:
        last = value(s)
        if last == 0:
            return _gone(f"{name} ends at a step size of 0")
        return _forever(f"{name} ends at {last:.3g} times the initial step size and stays there")

    return find


def _cycles(s: Any, base: np.ndarray) -> Tail:
    low = np.array([float(each) for each in s.base_lrs])
    if low.any():
        return _forever(f"the cycles return to base_lr = {low.max():.3g} and never fall below it")
    if s._scale_fn_custom is not None:
        return Tail(None, None, None, "the cycles' heights are those of a function given")
    if s.mode == "triangular2" or (s.mode == "exp_range" and s.gamma < 1):
        return _gone("the cycles' heights fall geometrically, to base_lr = 0")
    return _forever("the cycles go on at full height")


def _by_function(s: Any, base: np.ndarray) -> Tail:
    """Far values say how a function falls, as far as they go; what it does further out nobody knows."""
    exponents = []
    for function in s.lr_lambdas:
        try:
            near, far = (abs(float(function(t))) for t in (10**5, 10**8))
        except Exception:  # a list of factors that ends, a look-up, anything
            return Tail(None, None, None, "the step size is that of a function given, which ends")
        if far == 0:
            exponents.append(math.inf)
        elif near > 0 and math.isfinite(near) and math.isfinite(far):
            exponents.append(math.log(near / far) / math.log(1000))
    if not exponents:
        return Tail(None, None, None, "the step size is that of a function given")
    p = min(exponents)
    said = "is 0 at 1e8" if p == math.inf else f"falls like t^-{p:.3g} from t = 1e5 to 1e8"
    if abs(p) < 1e-6:
        said = "is constant from t = 1e5 to 1e8"
    return Tail(None, None, None, f"the step size is that of a function given, which {said}", p)


def _plateau(s: Any, base: np.ndarray) -> Tail:
    """torch leaves a step size alone that would fall by eps or less: by a factor f, from eps/(1 - f) on."""
    if max(s.min_lrs) > 0 or (s.eps > 0 and s.factor > 0):
        low = min(max(*s.min_lrs, s.eps * s.factor / (1 - s.factor)), base.max())
        return _forever(
            f"when the step size falls depends on the metric, but it is never below {low:.2g} (min_lr, eps)"
        )
    return Tail(None, None, None, "when the step size falls depends on the metric")


def _last_of(s: Any, base: np.ndarray) -> Tail:
    return tail_of(s._schedulers[-1], base)


def _product(s: Any, base: np.ndarray) -> Tail:
    if not all(type(each) in _FACTORS for each in s._schedulers):
        return Tail(None, None, None, "the chained schedulers are not all constant factors or geometric")
    tails = [tail_of(each, base) for each in s._schedulers]
    gone = [tail for tail in tails if tail.sum_finite]
    if gone and all(getattr(each, "gamma", 0) <= 1 for each in s._schedulers):
        return gone[0]
    if gone:
        return Tail(None, None, None, "one of the chained schedulers falls, another grows")
    return _forever("none of the chained schedulers lets the step size vanish")


_FACTORS = (
    schedulers.StepLR,
    schedulers.MultiStepLR,
    schedulers.ConstantLR,
    schedulers.LinearLR,
    schedulers.ExponentialLR,
    schedulers.PolynomialLR,
)
_TAILS: dict[type, Callable[[Any, np.ndarray], Tail]] = {
    schedulers.StepLR: _geometric,
    schedulers.ExponentialLR: _geometric,
    schedulers.MultiStepLR: _end("MultiStepLR", lambda s: s.gamma ** len(list(s.milestones.elements()))),
    schedulers.ConstantLR: _end("ConstantLR", lambda s: 1.0),
    schedulers.LinearLR: _end("LinearLR", lambda s: s.end_factor),
    schedulers.PolynomialLR: _end("PolynomialLR", lambda s: 1.0 if s.power == 0 else 0.0),
    schedulers.CosineAnnealingLR: lambda s, base: _forever(
        f"after T_max = {s.T_max} the cosine rises again, and so on with period {2 * s.T_max}"
    ),
    schedulers.CosineAnnealingWarmRestarts: lambda s, base: _forever("the cosine restarts for ever"),
    schedulers.CyclicLR: _cycles,
    schedulers.OneCycleLR: lambda s, base: _gone(f"OneCycleLR raises after {s.total_steps} steps"),
    schedulers.LambdaLR: _by_function,
    schedulers.MultiplicativeLR: lambda s, base: Tail(
        None, None, None, "each step size is the last one times what a function given returns"
    ),
    schedulers.SequentialLR: _last_of,
    schedulers.ChainedScheduler: _product,
    schedulers.ReduceLROnPlateau: _plateau,
}
