"""The activations by name, and what is known of each: its smoothness class and how to make it."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks._kinked_gelu import KinkedGELU
from nonsmooth.networks._smoothed_relu import AnalyticReLU, SmoothedReLU

__all__ = ["activation", "smoothness"]

# The smoothness class is that of the function as torch computes it, in the words of the design. Leaky ReLU
# has the slope 0.01, ELU alpha = 1 (only there C1,1). torch's softplus is x from a threshold on, 20 if not
# said, which is a step of 2e-9; from 40 on the two are equal to rounding in float64.
_PLAIN: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "relu": (nn.ReLU, "Lipschitz"),
    "leaky-relu": (nn.LeakyReLU, "Lipschitz"),
    "gelu": (nn.GELU, "analytic"),
    "silu": (nn.SiLU, "analytic"),
    "elu": (nn.ELU, "C1,1"),
    "softplus": (lambda: nn.Softplus(threshold=40), "analytic"),
    "tanh": (nn.Tanh, "analytic"),
    "identity": (nn.Identity, "analytic"),
}
# With a number D in the name: the width of the join or the spacing of the knots, and its range.
_WITH_WIDTH: dict[str, tuple[Callable[[float], nn.Module], str, str]] = {
    "smoothed-relu": (SmoothedReLU, "C1,1", "1e-12 to 1e12"),
    "analytic-relu": (AnalyticReLU, "analytic", "1e-12 to 1e12"),
    "kinked-gelu": (KinkedGELU, "Lipschitz", "1e-3 to 1e3"),
}


def activation(name: str) -> nn.Module:
    """A new module of the activation of that name.

    Args:
        name: "relu", "leaky-relu" (slope 0.01), "gelu", "silu", "elu" (alpha 1), "softplus", "tanh",
            "identity", "smoothed-relu:D" (:class:`SmoothedReLU`) or "analytic-relu:D"
            (:class:`AnalyticReLU`), where D is the width of the join, from 1e-12 to 1e12, or "kinked-gelu:D"
            (:class:`KinkedGELU`), where D is the spacing of its knots, from 1e-3 to 1e3; in the units of the
            input.

    Raises:
        InputError: no activation has this name (the message gives all and the nearest), or D is no such
            number.

    >>> activation("smoothed-relu:0.01")
    SmoothedReLU(width=0.01)
    """
    kind, width = _parse(name)
    return _PLAIN[kind][0]() if width is None else _WITH_WIDTH[kind][0](width)


def smoothness(name: str) -> str:
    """The smoothness class of an activation: "analytic", "C1,1" (gradient Lipschitz), "C1" or "Lipschitz".

    The best class that holds everywhere, for scalar inputs; "Lipschitz" ones have kinks.

    Args:
        name: as for :func:`activation`.

    Raises:
        InputError: no activation has this name.

    >>> smoothness("relu"), smoothness("elu"), smoothness("analytic-relu:0.01")
    ('Lipschitz', 'C1,1', 'analytic')
    """
    kind, width = _parse(name)
    return _PLAIN[kind][1] if width is None else _WITH_WIDTH[kind][1]


def _parse(name: str) -> tuple[str, float | None]:
    """The kind and the number D, None where it has none."""
    kind, colon, text = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind in _PLAIN and not colon:
        return kind, None
    if kind in _WITH_WIDTH:
        try:
            width = float(text)
            _WITH_WIDTH[kind][0](width)  # checks the range
        except (ValueError, InputError):
            raise InputError(
                f"activation = {name!r} has no width D that can be used; write {kind}:D with a number D "
                f"from {_WITH_WIDTH[kind][2]}, for instance {kind}:0.01"
            ) from None
        return kind, width
    known = [*_PLAIN, *(f"{each}:D" for each in _WITH_WIDTH)]
    near = difflib.get_close_matches(str(name).lower(), known, 1, 0.5)
    raise InputError(
        f"activation = {name!r} is not known; "
        + (f"did you mean {near[0]}? The names are " if near else "choose one of ")
        + ", ".join(known)
    )
