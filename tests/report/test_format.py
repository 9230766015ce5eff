"""How numbers and texts look; the examples in the modules are part of the contract."""

from __future__ import annotations

import doctest

import pytest

from nonsmooth.findings import _sentence, first_sentence
from nonsmooth.report import _figures, _format, _view
from nonsmooth.report._format import duration, inline, interval, number, value


@pytest.mark.parametrize("module", [_figures, _format, _sentence, _view], ids=lambda module: module.__name__)
def test_examples(module: object) -> None:
    outcome = doctest.testmod(module)  # pyright: ignore[reportArgumentType]
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0, "0"),
        (-3, "−3"),
        (123456789, "123456789"),
        (0.1 + 0.2, "0.3"),
        (-1.5e-7, "−1.5 × 10⁻⁷"),
        (-1e-7, "−10⁻⁷"),
        (2.5e12, "2.5 × 10¹²"),
        (1e20, "10²⁰"),
        (-0.0, "0"),
        (float("nan"), "NaN"),
        (float("-inf"), "−∞"),
    ],
)
def test_number(x: float, text: str) -> None:
    assert number(x) == text


def test_interval_open_ends() -> None:
    assert interval([None, None]) == "(−∞, ∞)"
    assert interval([float("-inf"), 2]) == "(−∞, 2]"


def test_value_of_nested_json() -> None:
    assert value({"a": [0.5, None], "b": False}) == "a 0.5, –, b no"


def test_duration_rolls_over() -> None:
    assert duration(59.99) == "60.0 s"
    assert duration(119.6) == "2 min 0 s"


def test_inline_is_the_only_markup() -> None:
    assert inline("<b>&`x<y`") == "&lt;b&gt;&amp;<code>x&lt;y</code>"
    assert inline("a lone ` stays") == "a lone ` stays"


def test_first_sentence_of_what_has_no_end() -> None:
    assert first_sentence("no stop at all ") == "no stop at all"
    assert first_sentence("Kumar et al. 2023 say so. More.") == "Kumar et al. 2023 say so."
