"""Numbers that a caller gives, checked in words."""

from __future__ import annotations

import math
from typing import Any

from nonsmooth.errors import InputError

__all__ = ["not_negative", "positive", "whole"]


def positive(name: str, value: Any) -> float:
    """A finite number > 0, or InputError."""
    return _finite(name, value, "> 0", lambda number: number > 0)


def not_negative(name: str, value: Any) -> float:
    """A finite number >= 0, or InputError."""
    return _finite(name, value, ">= 0", lambda number: number >= 0)


def _finite(name: str, value: Any, limit: str, allowed: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} = {value!r} is not allowed; give a finite number {limit}") from error
    if not (math.isfinite(number) and allowed(number)):
        raise InputError(f"{name} = {number:g} is not allowed; give a finite number {limit}")
    return number


def whole(name: str, value: Any, low: int, high: int | None) -> int:
    """A whole number from low to high (None: no limit), or InputError.

    >>> whole("steps", 20, 1, None)
    20
    """
    limits = f">= {low}" if high is None else f"from {low:,} to {high:,}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InputError(f"{name} = {value!r} is not allowed; give a whole number {limits}")
    number = value.__index__()
    if number < low or (high is not None and number > high):
        raise InputError(f"{name} = {number} is not allowed; give a whole number {limits}")
    return number
