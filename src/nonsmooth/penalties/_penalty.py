"""What every penalty answers, and what all of them do alike.

A penalty's public methods stand here: they take NumPy arrays and torch tensors, compute half precision in
float32, keep NumPy silent about the infinities that the formulas allow for, and write in place where asked.
A penalty itself is a frozen dataclass with the formulas below the underscore: ``_value``, ``_subgradient``,
``_prox``, ``_distance`` and ``_strength_max``. One that acts entry by entry derives from
:class:`nonsmooth.penalties._separable.Separable` and writes even less.

Nothing here or in a penalty's ``value`` and ``prox`` waits for a device: no entry of a tensor decides a
branch, but on the CPU, where looking is free and ends the inner solve of groups early.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Self

import numpy as np
from array_api_compat import array_namespace, is_numpy_namespace

from nonsmooth.errors import InputError

__all__ = [
    "Penalty",
    "check_strength",
    "column",
    "is_number",
    "largest",
    "pick",
    "quiet",
    "times",
    "total",
    "wide",
]


def is_number(value: Any) -> bool:
    """Whether a branch may depend on it without waiting for a device."""
    return isinstance(value, int | float | np.generic)


def check_strength(name: str, strength: Any) -> None:
    """Raises InputError unless the strength, or each of an array of them, is finite and >= 0."""
    several = getattr(strength, "ndim", 0)
    try:
        low, high = (float(f()) for f in (strength.min, strength.max)) if several else (float(strength),) * 2
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:  # no number, or an empty array
        raise InputError(f"{name} = {strength!r} is not allowed; give a finite number >= 0") from error
    if not (low >= 0 and high < float("inf")):
        bad = low if not low >= 0 else high
        raise InputError(f"{name} = {bad:g} is not allowed; give a finite number >= 0")


def column(strength: Any) -> Any:
    """A strength a run, shaped to multiply a batch (B, P); a plain number stays one."""
    return strength[..., None] if getattr(strength, "ndim", 0) else strength


def pick(xp: Any, condition: Any, yes: Any, no: Any) -> Any:
    """``where`` that also takes a plain truth value, decided here."""
    if isinstance(condition, bool | np.bool_):
        return yes if condition else no
    return xp.where(condition, yes, no)


def times(xp: Any, strength: Any, amount: Any) -> Any:
    """strength * amount where strength 0 gives 0 even for an infinite amount: no penalty is no penalty."""
    if is_number(strength):
        if strength == 0:
            return 0.0 if is_number(amount) else xp.zeros_like(amount)
        return strength * amount
    product = strength * amount
    return xp.where(strength == 0, xp.zeros_like(product), product)


def total(xp: Any, entries: Any) -> Any:
    """The sum over the last axis: (..., P) -> (...); a 0-d array is its own sum."""
    return xp.sum(entries, axis=-1) if entries.ndim else entries


def largest(xp: Any, entries: Any) -> Any:
    """The maximum of non-negative entries over the last axis: (..., P) -> (...); 0 where P = 0."""
    if not entries.ndim:
        return entries
    return xp.max(entries, axis=-1) if entries.shape[-1] else total(xp, entries)


def quiet(xp: Any) -> AbstractContextManager[Any]:
    """inf - inf, 0/0 and overflow occur in branches that ``where`` discards; torch says nothing of them."""
    return np.errstate(all="ignore") if is_numpy_namespace(xp) else nullcontext()


def wide(xp: Any, x: Any) -> Any:
    """Half precision as float32: float16 squares of weights below 2^-12 are 0, bfloat16 sums stop growing.

    Raises InputError for integers, whose prox would be cut to integers, and complex numbers.
    """
    if not xp.isdtype(x.dtype, "real floating"):
        raise InputError(f"entries of type {x.dtype} are not allowed; give real floating-point numbers")
    return xp.astype(x, xp.float32) if x.dtype.itemsize < 4 else x


def _namespace(x: Any) -> Any:
    try:
        return array_namespace(x)
    except TypeError as error:
        raise InputError(
            f"entries of type {type(x).__name__} are no array; give NumPy's or torch's"
        ) from error


def _check_alike(name: str, given: Any, x: Any) -> None:
    """Raises InputError unless it is an array of x's library and shape, or one that is repeated to it."""
    shape = getattr(given, "shape", None)
    fits = shape is not None
    if shape and tuple(shape) != tuple(x.shape):
        sizes = zip(reversed(shape), reversed(x.shape), strict=False)
        fits = len(shape) <= len(x.shape) and all(n in (1, size) for n, size in sizes)
    if fits:
        try:
            array_namespace(x, given)
            return
        except TypeError:  # no array, or of another library
            fits = False
    kind = f"type {type(given).__name__}" + ("" if shape is None else f" and shape {tuple(shape)}")
    raise InputError(
        f"a {name} of {kind} is not allowed for a {type(x).__name__} of shape {tuple(x.shape)}; "
        f"give {'a number or ' if name == 'step' else ''}an array like it"
    )


class Penalty(ABC):
    """A function of the parameters that is added to the loss: lambda times a measure of their size.

    ``x`` is a NumPy array or a torch tensor. Penalties that act along the last axis treat any axes before it
    as a batch: (..., P) -> (...). Those with a structure (the rows of a matrix, the filters of a convolution)
    take the parameter as it is and answer with a 0-d array. ``penalty.value(p).sum()`` is the total of both.

    Attributes:
        separable: whether ``prox`` acts entry by entry.
        convex: whether the penalty is convex: ``prox`` is then a firmly non-expansive map and the points
            where ``subdifferential_distance`` is 0 minimise the sum with a convex loss; otherwise ``prox`` is
            a global minimiser (of two, that of the smaller size), the points are stationary.
    """

    separable: ClassVar[bool]
    convex: ClassVar[bool]
    _strengths: ClassVar[tuple[str, ...]] = ("strength",)

    def value(self, x: Any) -> Any:
        """The penalty: (..., P) -> (...), or 0-d for a structure. Half precision answers in float32."""
        xp = _namespace(x)
        with quiet(xp):
            return self._value(xp, wide(xp, x))

    def subgradient(self, x: Any) -> Any:
        """One subgradient, like x: the gradient where there is one, 0 at a kink."""
        xp = _namespace(x)
        with quiet(xp):
            return xp.astype(self._subgradient(xp, wide(xp, x)), x.dtype, copy=False)

    def prox(self, x: Any, step: Any, out: Any = None) -> Any:
        """argmin_u  penalty(u) + sum_i (u_i - x_i)^2 / (2 step_i).

        Args:
            x: the point, of any shape that the penalty takes.
            step: > 0, or 0 where an entry is to stay: a number, a 0-d array, or an array like x (a diagonal
                metric). An infinite step of a strength > 0 gives the penalty's own minimiser 0, also where x
                is infinite; with strength 0 every step leaves x as it is.
            out: where the answer is written, outside of automatic differentiation: ``out=x`` is in place.

        Returns:
            An array like x (``out`` if given). NaN entries stay NaN (and make their group NaN).

        Raises:
            InputError: a number for a step that is negative or NaN, a step of another shape than x, or no
                array.
        """
        xp = _namespace(x)
        if is_number(step):
            if not step >= 0:
                raise InputError(f"step = {float(step):g} is not allowed; give a number >= 0")
            step = float(step)
        else:
            _check_alike("step", step, x)
        if out is not None and hasattr(x, "detach"):
            x, step = x.detach(), step if is_number(step) else step.detach()
        point = wide(xp, x)
        if not is_number(step):
            step = xp.astype(step, point.dtype, copy=False)
        with quiet(xp):
            u = self._prox(xp, point, step)
        if out is None:
            return xp.astype(u, x.dtype, copy=False)
        (out.detach() if hasattr(out, "detach") else out)[...] = u
        return out

    def subdifferential_distance(self, x: Any, gradient: Any) -> Any:
        """Largest coordinate of the shortest way from -gradient to the (limiting) subdifferential at x.

        0 says that x is stationary for loss + penalty.

        Args:
            x: the point.
            gradient: of the smooth part at x, like x.

        Returns:
            The distance in the maximum norm, shaped like ``value``.

        Raises:
            InputError: a gradient of another shape than x, or no array.
        """
        xp = _namespace(x)
        _check_alike("gradient", gradient, x)
        with quiet(xp):
            return self._distance(xp, wide(xp, x), wide(xp, gradient))

    def support(self, x: Any) -> Any:
        """Which entries are not exactly zero: truth values, like x."""
        return x != 0

    def strength_max(self, gradient: Any) -> Any:
        """The least strength for which 0 is stationary, from the smooth part's gradient at 0."""
        xp = _namespace(gradient)
        with quiet(xp):
            return self._strength_max(xp, wide(xp, gradient))

    def scaled(self, factor: Any) -> Self:
        """The same penalty with every strength times ``factor`` (>= 0); what shapes it stays.

        Raises:
            InputError: a strength would be negative or not finite.
        """
        # Not dataclasses.replace: a schedule calls this at every step, and index tables need no rebuilding.
        changed = copy.copy(self)
        for name in self._strengths:
            strength = getattr(self, name) * factor
            check_strength(name, strength)
            object.__setattr__(changed, name, strength)
        return changed

    @abstractmethod
    def _value(self, xp: Any, x: Any) -> Any: ...

    @abstractmethod
    def _subgradient(self, xp: Any, x: Any) -> Any: ...

    @abstractmethod
    def _prox(self, xp: Any, x: Any, step: Any) -> Any: ...

    @abstractmethod
    def _distance(self, xp: Any, x: Any, gradient: Any) -> Any: ...

    @abstractmethod
    def _strength_max(self, xp: Any, gradient: Any) -> Any: ...
