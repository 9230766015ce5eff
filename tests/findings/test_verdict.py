"""Verdicts take the weakest part, never rest on too few runs, and never answer what was not asked."""

import pytest
from scipy.stats import binom

from nonsmooth.findings import Attribution, Part, Result, Ruling, assemble, printed_resolution, share

PARTS = (
    Part("first", "It happens.", "rule", least_n=10),
    Part("second", "It happens elsewhere.", "rule"),
    Part("cause", "Because of this.", "rule", least_n=5, twin="without it"),
)


def _verdict(first=Result.HOLDS, second=Result.HOLDS, cause=Attribution.SUPPORTED, n: int = 10):
    rulings = [Ruling("first", first, n, ""), Ruling("second", second, n, ""), Ruling("cause", cause, n, "")]
    return assemble(PARTS, rulings, [])


def test_the_weakest_part_decides() -> None:
    assert _verdict().result is Result.HOLDS
    assert _verdict(second=Result.IN_PART).result is Result.IN_PART
    assert _verdict(first=Result.NOT_JUDGED, second=Result.IN_PART).result is Result.NOT_JUDGED
    assert _verdict(first=Result.NOT_JUDGED, second=Result.DIFFERS).result is Result.DIFFERS
    assert _verdict(cause=Attribution.UNDECIDED).attribution is Attribution.UNDECIDED


def test_fewer_runs_than_the_rule_demands_decide_nothing() -> None:
    verdict = _verdict(n=9)
    assert verdict.rulings[0].answer is Result.NOT_JUDGED
    assert "n >= 10" in verdict.rulings[0].why
    assert verdict.rulings[1].answer is Result.HOLDS
    assert _verdict(n=4).attribution is Attribution.UNDECIDED


def test_a_ruling_that_decides_nothing_keeps_its_reason() -> None:
    rulings = [
        Ruling("first", Result.NOT_JUDGED, 0, "Nothing is printed."),
        Ruling("cause", Attribution.UNDECIDED, 1, "No twin."),
    ]
    verdict = assemble(PARTS, rulings, [])
    assert (verdict.rulings[0], verdict.rulings[2]) == tuple(rulings)


def test_a_silent_part_is_not_judged() -> None:
    verdict = assemble(PARTS, [Ruling("first", Result.HOLDS, 10, "")], [])
    assert [r.answer for r in verdict.rulings] == [Result.HOLDS, Result.NOT_JUDGED, Attribution.UNDECIDED]


def test_attribution_is_none_only_where_no_cause_is_asked_for() -> None:
    assert assemble(PARTS[:2], [], []).attribution is None


@pytest.mark.parametrize(
    "ruling", [Ruling("other", Result.HOLDS, 1, ""), Ruling("cause", Result.HOLDS, 9, "")]
)
def test_an_answer_to_another_question_is_refused(ruling: Ruling) -> None:
    with pytest.raises(ValueError, match="part"):
        assemble(PARTS, [ruling], [])


def test_wilson_interval_is_wilsons_and_widens_with_comparisons() -> None:
    hits, n, z = 41, 48, 1.959963984540054
    p = hits / n
    centre, spread = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n)
    half = spread * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    found = share([True] * hits + [False] * (n - hits))
    assert found.interval == pytest.approx((centre - half, centre + half))
    wider = share([True] * hits + [False] * (n - hits), comparisons=5)
    assert wider.interval[0] < found.interval[0] < found.interval[1] < wider.interval[1]


@pytest.mark.parametrize("p", [0.5, 0.9, 0.99])
def test_wilson_interval_covers(p: float) -> None:
    """Exact coverage by summing binomial probabilities: near 95 %, as the score interval's is."""
    n = 60
    covered = sum(
        binom.pmf(k, n, p)
        for k in range(n + 1)
        if (s := share([True] * k + [False] * (n - k))).interval[0] <= p <= s.interval[1]
    )
    assert covered > 0.9


@pytest.mark.parametrize(
    ("text", "half"), [("1.62", 0.005), ("25.4", 0.05), ("10", 0.5), ("0.0053", 0.00005), ("1,000", 0.5)]
)
def test_a_printed_number_is_held_to_its_own_digits(text: str, half: float) -> None:
    assert printed_resolution(text) == pytest.approx(half)
