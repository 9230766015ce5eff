"""``--over NAME=...``: the values that an unstated setting is swept through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from nonsmooth.errors import InputError

__all__ = ["Sweep"]

_FORMS = "NAME=log:LOW:HIGH:N, NAME=lin:LOW:HIGH:N or NAME=v1,v2,v3"
_MOST = 1000


def _word(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number


def _grid(kind: str, text: str) -> list[float]:
    fields = text.split(":")
    if len(fields) != 3:
        raise ValueError(f"{kind} takes three fields, LOW:HIGH:N")
    low, high, n = float(fields[0]), float(fields[1]), int(fields[2])
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError("LOW and HIGH must be finite, LOW below HIGH")
    if kind == "log" and low <= 0:
        raise ValueError("a log grid needs LOW above 0")
    if not 2 <= n <= _MOST:
        raise ValueError(f"N must lie between 2 and {_MOST}")
    if kind == "log":
        a, b = math.log10(low), math.log10(high)
        inner = [10 ** (a + (b - a) * k / (n - 1)) for k in range(1, n - 1)]
    else:
        inner = [low + (high - low) * k / (n - 1) for k in range(1, n - 1)]
    # Twelve digits: the values are read by people, and 0.1 is not 0.09999999999999999.
    return [low, *(float(f"{value:.12g}") for value in inner), high]


@dataclass(frozen=True)
class Sweep:
    """A setting's name and the values to give it, one after another.

    >>> Sweep.parse("stepsize=log:1e-3:0.1:3").values
    (0.001, 0.01, 0.1)
    >>> Sweep.parse("data=random,diabetes").values
    ('random', 'diabetes')
    """

    name: str
    values: tuple[float | str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """A sweep from ``NAME=log:LOW:HIGH:N``, ``NAME=lin:LOW:HIGH:N`` or ``NAME=v1,v2,v3``.

        Raises:
            InputError: anything else.
        """
        name, equals, rest = str(text).partition("=")
        name = name.strip()
        if not (name and equals and rest.strip()):
            raise InputError(f"sweep {text!r} is not understood; give {_FORMS}")
        kind, colon, fields = rest.strip().partition(":")
        try:
            if colon and kind in ("log", "lin"):
                values: list[float | str] = [*_grid(kind, fields)]
            elif any(not field.strip() for field in rest.split(",")):
                raise ValueError("an empty value")
            else:
                values = [_word(field.strip()) for field in rest.split(",")]
        except (ValueError, OverflowError) as error:
            raise InputError(f"sweep {text!r} is not understood ({error}); give {_FORMS}") from None
        if len(values) > _MOST:
            raise InputError(f"sweep of {name!r} has {len(values)} values; at most {_MOST} are allowed")
        return cls(name, tuple(dict.fromkeys(values)))
