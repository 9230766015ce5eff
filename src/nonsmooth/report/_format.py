"""How values look on the page: numbers with a true minus, intervals, durations, inline code."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

__all__ = ["count", "duration", "inline", "interval", "number", "value"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(x: float, digits: int = 4) -> str:
    """A number at ``digits`` significant digits, as it is printed.

    >>> number(-0.00470), number(1e-13), number(20000.0), number(float("inf"))
    ('−0.0047', '10⁻¹³', '20000', '∞')
    """
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if isinstance(x, int):
        return str(x).replace("-", "−")
    if x.is_integer() and abs(x) < 1e6:
        return f"{x + 0.0:.0f}".replace("-", "−")
    text = f"{x:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
        sign = "-" if mantissa.startswith("-") else ""
        text = sign + power if mantissa.lstrip("-") == "1" else f"{mantissa} × {power}"
    return text.replace("-", "−")


def count(n: int | None) -> str:
    """A number of runs, in groups of three digits from five digits on.

    >>> count(2400), count(16777216), count(None)
    ('2400', '16,777,216', '–')
    """
    if n is None:
        return "–"
    return f"{n:,}" if n >= 10_000 else str(n)


def interval(ends: Sequence[float | None] | None) -> str:
    """Both ends of an interval; a missing end is infinite (JSON has no infinity).

    >>> interval([0.9817, 1]), interval([0.0, None]), interval(None)
    ('[0.9817, 1]', '[0, ∞)', '')
    """
    if ends is None:
        return ""
    low, high = (None if end is None or not math.isfinite(end) else end for end in ends)
    left = "(−∞" if low is None else f"[{number(low, 4 if abs(low) >= 0.1 else 3)}"
    right = "∞)" if high is None else f"{number(high, 4 if abs(high) >= 0.1 else 3)}]"
    return f"{left}, {right}"


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(0.042), duration(3.21), duration(94), duration(7384)
    ('under 0.1 s', '3.2 s', '1 min 34 s', '2 h 3 min')
    """
    if seconds < 0.1:
        return "under 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def value(x: Any) -> str:
    """A JSON value as one short text.

    >>> value(0.01), value(True), value([1, 2.5]), value(None), value("file:ab")
    ('0.01', 'yes', '1, 2.5', '–', 'file:ab')
    """
    if x is None:
        return "–"
    if isinstance(x, bool):
        return "yes" if x else "no"
    if isinstance(x, int | float):
        return number(x)
    if isinstance(x, list | tuple):
        return ", ".join(value(item) for item in x)
    if isinstance(x, dict):
        return ", ".join(f"{name} {value(item)}" for name, item in x.items())
    return str(x)


def inline(text: object) -> Markup:
    """Text escaped, with `backticked` words set as code; nothing else is markup.

    >>> inline("`a` < b")
    Markup('<code>a</code> &lt; b')
    """
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(str(text)))))
