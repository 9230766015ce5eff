"""How smooth one call is, where that depends on its arguments or on what its input can be."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from nonsmooth.audit._operations_row import Answer, Call, Class, least

__all__ = [
    "above_minus_one",
    "at_zero",
    "clamped",
    "comparison",
    "divided",
    "elu",
    "grid",
    "hardtanh",
    "larger_of",
    "leaky",
    "logit",
    "multi_margin",
    "normalised",
    "positive_argument",
    "power",
    "rectified",
    "recurrent",
    "reduced",
    "reduced_power",
    "reduction",
    "rooted",
    "softplus",
    "thresholded",
    "vector_norm",
]

Rule = Callable[[Call], Answer]
# An upper bound on roughness: sqrt(relu(x)) is continuous, but no class of ours but the last holds for it.
_STEEP = "continuous, but its slope has no bound where the argument is 0"


def rectified(call: Call) -> Answer:
    """relu and abs: a kink where the argument changes its sign, if it can."""
    low, high = call.range("self")
    if low >= 0 or high <= 0:
        return Answer("analytic", "its argument never changes its sign")
    return Answer("Lipschitz")


def clamped(call: Call) -> Answer:
    """clamp, clamp_min, clamp_max: kinks at those bounds that the argument can cross."""
    low, high = call.range("self")
    least_bound, largest_bound = call.range("min"), call.range("max")
    if call.varies("min") or call.varies("max"):
        return Answer("Lipschitz")
    lower = call.arguments.get("min") is not None and low < least_bound[1]
    upper = call.arguments.get("max") is not None and high > largest_bound[0]
    if not (lower or upper):
        return Answer("analytic", "its argument never leaves the bounds")
    return Answer("Lipschitz")


def hardtanh(call: Call) -> Answer:
    """hardtanh and relu6: between -1 and 1 unless said otherwise."""
    low, high = call.range("self")
    if low >= call.get("min_val", -1.0) and high <= call.get("max_val", 1.0):
        return Answer("analytic", "its argument never leaves the bounds")
    return Answer("Lipschitz")


def leaky(call: Call) -> Answer:
    """leaky_relu: its slopes are 1 and negative_slope."""
    if call.get("negative_slope", 0.01) == 1:
        return Answer("analytic", "negative_slope = 1: the identity")
    return rectified(call)


def elu(call: Call) -> Answer:
    """elu, selu, celu: alpha scale (exp(input_scale x) - 1) and scale x meet with one slope or with two."""
    if call.name == "celu":
        return Answer("C1,1")
    slope = call.get("alpha", 1.0) * call.get("input_scale", 1.0)
    if call.range("self")[0] >= 0:
        return Answer("analytic", "its argument is never negative")
    if abs(slope - 1) < 1e-12:
        return Answer("C1,1")
    return Answer("Lipschitz", f"slopes {slope:g} and 1 meet at 0; with alpha = 1 there is no kink")


def softplus(call: Call) -> Answer:
    """torch's softplus is x itself from beta x = threshold on: a step, unless rounding hides it."""
    threshold, beta = float(call.get("threshold", 20)), float(call.get("beta", 1))
    step = math.log1p(math.exp(-threshold)) if threshold > -30 else -threshold
    if call.range("self")[1] * beta <= threshold:
        return Answer("analytic", "its argument never reaches the threshold")
    said = f"a step of {step / beta:.2g} at x = {threshold / beta:g}, its threshold"
    precision = torch.finfo(call.dtype).eps if call.dtype.is_floating_point else 0.0
    if step <= precision * max(threshold, 1.0) / 2:
        return Answer("analytic", f"{said}, is below the rounding of {_name(call.dtype)}")
    return Answer("discontinuous", f"{said}; with threshold=40 it is smooth to rounding")


def thresholded(call: Call) -> Answer:
    """threshold: x above, a value below; it jumps unless both are the same."""
    limit, value = call.get("threshold", 0), call.get("value", 0)
    if call.range("self")[0] > limit:
        return Answer("analytic", "its argument never falls to the threshold")
    if limit == value:
        return Answer("Lipschitz")
    return Answer("discontinuous", f"it jumps from {value:g} to {limit:g}")


def larger_of(call: Call) -> Answer:
    """maximum, minimum: a kink where both are equal, if they can be."""
    (low, high), (other_low, other_high) = call.range("self"), call.range("other")
    if low > other_high or other_low > high:
        return Answer("analytic", "one argument is always the larger")
    if not (call.varies("self") and call.varies("other")) and (low >= other_high or other_low >= high):
        return Answer("analytic", "one argument is never the smaller")
    return Answer("Lipschitz")


def rooted(call: Call) -> Answer:
    """sqrt: see ``_root``."""
    return _root(call, 0.5)


def power(call: Call) -> Answer:
    """pow: by its exponent, if that is a number."""
    (base, _), (low, high) = call.range("self"), call.range("exponent")
    if low != high or call.varies("exponent"):
        if base > 0:
            return Answer("analytic")
        said = "where the base is 0 or negative"
        # Of a base that is never negative all of the domain is looked at, 0 too.
        kind = "analytic" if base < 0 else "C1" if low > 1 else "Lipschitz" if low == 1 else "discontinuous"
        return Answer(kind, "" if base < 0 else "an exponent that is no constant", said)
    if math.isfinite(low) and low == int(low):
        return Answer("analytic") if low >= 0 else _pole(call, "self", "the base")
    return _root(call, low)


def _root(call: Call, p: float) -> Answer:
    """x^p for a p that is no whole number.

    Off 0 it is analytic. Let x = f >= 0 be a function with an L-Lipschitz gradient on the whole space. Then
    |grad f|^2 <= 2 L f (a step of 1/L along -grad f would otherwise make f negative; Glaeser 1963 in one
    variable), so |grad f^p| = p f^(p-1) |grad f| <= p sqrt(2 L) f^(p - 1/2): bounded for p >= 1/2, and to 0
    for p > 1/2. A norm is such a root. For f that is Lipschitz only, as relu, f^p with p < 1 is not.
    """
    low = call.range("self")[0]
    singular = "" if low >= torch.finfo(torch.float32).tiny else "where the argument is 0"
    if low > 0:
        return Answer("analytic", singular=singular)
    if low < 0:
        return Answer("analytic", "it is not a number below 0", "where the argument is 0")
    smooth = call.smoothness("self") in ("analytic", "C1,1")
    if p < 0:
        return Answer("analytic", singular=singular)
    if p < 0.5 or (p < 1 and not smooth):
        return Answer("discontinuous", _STEEP, singular)
    if p == 0.5:
        return Answer(
            "Lipschitz", "the root of what is never negative, as a norm: a kink where it is 0", singular
        )
    if p < 1:
        return Answer("C1", singular=singular)
    return Answer("C1,1" if p >= 2 or smooth else "C1")


def divided(call: Call) -> Answer:
    """div: singular where the denominator can be 0; whole numbers jump."""
    if call.get("rounding_mode") is not None:
        return Answer("discontinuous", f"rounding_mode={call.get('rounding_mode')!r}")
    if not call.varies("other"):
        return Answer("analytic")
    return _pole(call, "other", "the denominator")


def _pole(call: Call, key: str, what: str) -> Answer:
    low, high = call.range(key)
    tiny = torch.finfo(torch.float32).tiny
    if low >= tiny or high <= -tiny:
        return Answer("analytic")
    return Answer("analytic", singular=f"where {what} is 0")


def positive_argument(*keys: str) -> Rule:
    """log and the like: analytic; singular where the argument can be 0 or underflow."""

    def rule(call: Call) -> Answer:
        for key in keys or ("self",):
            if (call.varies(key) or not keys) and call.range(key)[0] < torch.finfo(torch.float32).tiny:
                return Answer("analytic", singular="where the argument is 0")
        return Answer("analytic")

    return rule


def above_minus_one(call: Call) -> Answer:
    """log1p: singular at -1."""
    return Answer("analytic", singular="" if call.range("self")[0] > -1 else "where the argument is -1")


def at_zero(call: Call) -> Answer:
    """reciprocal: a pole at 0."""
    return _pole(call, "self", "the argument")


def vector_norm(call: Call) -> Answer:
    """Norms of a whole tensor or of its slices, by their order."""
    order = call.get("ord", call.get("p", 2))
    order = float(order) if isinstance(order, int | float) else 2.0
    low = call.range("self")[0] if "x1" not in call.arguments else -math.inf
    if order == 0:
        return Answer("discontinuous", "ord=0 counts what is not 0")
    if order < 1:
        if low > 0:
            return Answer("analytic")
        return Answer("discontinuous", _STEEP, "where an entry is 0")
    if order == 1:
        if low >= 0:
            return Answer("analytic", "the entries are never negative")
        return Answer("Lipschitz", "ord=1: a kink wherever an entry is 0")
    if math.isinf(order):
        return Answer("Lipschitz", "a kink where two entries tie as the largest")
    if low > 0:
        return Answer("analytic")
    return Answer("Lipschitz", "a kink where all entries are 0")


def reduced_power(call: Call) -> Answer:
    """sum |x|^p."""
    p = float(call.get("ord", 2))
    if p == int(p) and int(p) % 2 == 0 and p > 0:
        return Answer("analytic")
    return Answer("Lipschitz" if p == 1 else "C1" if 1 < p < 2 else "C1,1" if p > 2 else "discontinuous")


def reduction(call: Call) -> Answer:
    """smooth_l1_loss and huber_loss: |x| with its tip rounded off over beta, or not at all."""
    if float(call.get("beta", call.get("delta", 1.0))) == 0:
        return Answer("Lipschitz", "beta = 0: the absolute value")
    return Answer("C1,1")


def multi_margin(call: Call) -> Answer:
    """multi_margin_loss: max(0, margin - x)^p with p = 1 or 2."""
    return Answer("C1,1" if call.get("p", 1) == 2 else "Lipschitz")


def normalised(call: Call) -> Answer:
    """Batch, layer, group and RMS norm: analytic if eps > 0."""
    if call.arguments.get("eps", 1e-5) == 0:
        return Answer("analytic", "eps = 0", "where the variance is 0")
    return Answer("analytic")


def comparison(call: Call) -> Answer:
    """a < b and the like: a constant if what both can be does not overlap; of one tensor with itself too."""
    if call.same:
        return Answer("analytic", "a tensor compared with itself")
    (low, high), (other_low, other_high) = call.range("self"), call.range("other")
    if low > other_high or other_low > high or (math.isinf(other_low) and other_low == other_high):
        return Answer("analytic", "always the same answer")
    return Answer("discontinuous")


def reduced(call: Call) -> Answer:
    """scatter_reduce, index_reduce, segment_reduce, embedding_bag: kinks with the largest or smallest."""
    if call.get("reduce") in ("amax", "amin", "max", "min") or call.get("mode") == 2:
        return Answer("Lipschitz", "it takes the largest or smallest: a kink where two entries tie")
    return Answer("analytic")


def recurrent(call: Call) -> Answer:
    """Recurrent layers: only that of an RNN with relu (cuDNN's mode 0) has kinks."""
    if "mode" in call.arguments and call.name == "_cudnn_rnn" and call.get("mode") == 0:
        return Answer("Lipschitz", "an RNN with relu")
    return Answer("analytic")


def logit(call: Call) -> Answer:
    """logit: with eps it clamps first."""
    if call.get("eps") is not None:
        return Answer("Lipschitz", "eps clamps the argument")
    low, high = call.range("self")
    return Answer("analytic", singular="" if low > 0 and high < 1 else "where the argument is 0 or 1")


def grid(call: Call) -> Answer:
    """grid_sample: linear in its input; in the grid by its mode (0 bilinear, 1 nearest, 2 bicubic)."""
    if not call.varies("grid"):
        return Answer("analytic")
    mode: tuple[Class, ...] = ("Lipschitz", "discontinuous", "Lipschitz")
    return Answer(least(mode[call.get("interpolation_mode", 0)], "Lipschitz"), "in its grid")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
