"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.relu_not_l_smooth._experiments import EXPONENTS, LENGTHS, RESPONSES
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share

__all__ = ["cause_kink", "derivatives", "networks", "quotient"]

_Answer = tuple[Ruling, list[Finding]]
_COARSE, _FINE = LENGTHS.index(1e-4), LENGTHS.index(1e-8)


def quotient(rows: Sequence[Row]) -> _Answer:
    """Is it 1/(2h), exactly and by autograd?"""
    part = "quotient"
    exact = {r["k"]: r for r in _of(rows, "exact")}
    relu = next((r for r in _of(rows, "activations") if r["name"] == "ReLU"), None)
    if set(exact) != set(EXPONENTS) or relu is None:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every h was tried."), []
    n = len(exact)
    right = sum(bool(r["is_half_over_h"]) for r in exact.values())
    error = max(abs(value * 2 * h - 1) for value, h in zip(relu["quotient"], LENGTHS, strict=True))
    findings = [
        Finding(
            "lengths h at which the quotient is exactly 1/(2h)",
            f"{right} of {n}",
            n,
            f"h = 2^-k, k = 0 ... {max(EXPONENTS)}, exact rationals; at the last it is "
            f"{number(exact[max(EXPONENTS)]['quotient'])}.",
            part,
            reported="∞ in the limit",
            agrees=right == n,
        ),
        Finding(
            "largest relative deviation of torch's derivative from 1/(2h)",
            number(error, 2),
            len(LENGTHS),
            "torch.nn.functional.relu, float64, h from 1 to 1e-12.",
            part,
        ),
    ]
    if right == n and error <= 1e-12:
        return Ruling(part, Result.HOLDS, n, "The quotient is 1/(2h) at every h tried."), findings
    why = f"The quotient is 1/(2h) at {right} of {n} lengths; torch's deviates by up to {number(error, 2)}."
    return Ruling(part, Result.DIFFERS, n, why), findings


def networks(rows: Sequence[Row]) -> _Answer:
    """Does the loss of a single-layer network lose L-smoothness with its activation?"""
    part = "networks"
    mine = {name: [r for r in _of(rows, "loss") if r["response"] == name] for name in RESPONSES}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every kind of response was tried."), []
    n = min(len(each) for each in mine.values())
    shares = {
        name: share((r["growth"] > 10 for r in each), comparisons=len(RESPONSES))
        for name, each in mine.items()
    }
    findings = []
    for name, each in mine.items():
        growths = sorted(r["growth"] for r in each)
        findings.append(
            Finding(
                f"seeds whose quotient grows with 1/h, {name} response",
                str(shares[name]),
                shares[name].n,
                f"h from 1e-4 to 1e-6 across one kink: growth by {number(growths[0])} to "
                f"{number(growths[-1])} (100 is 1/h, 1 is L-smooth), float64; Wilson interval "
                "allowing for 3 comparisons.",
                part,
                reported="all",
                interval=shares[name].interval,
                agrees=shares[name].hits == shares[name].n,
            )
        )
    grows = [name for name, found in shares.items() if found.interval[0] > 0.9]
    if len(grows) == len(RESPONSES):
        return Ruling(part, Result.HOLDS, n, "No kind of response leaves the loss L-smooth."), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "The quotient grows for no kind of response."), findings
    others = [name for name in RESPONSES if name not in grows]
    why = (
        f"Across a kink the gradient's quotient grows with 1/h for {' and '.join(grows) or 'no'} responses "
        f"and not for {' and '.join(others)} ones: the loss's own slope there, -2 y_i, multiplies the jump."
    )
    region = "response " + " or ".join(grows) if grows else ""
    return Ruling(part, Result.IN_PART, n, why, region), findings


def derivatives(rows: Sequence[Row]) -> _Answer:
    """Is there an L-smooth function without a second, or with an unbounded first derivative?"""
    part = "derivatives"
    mine = sorted(_of(rows, "functions"), key=lambda r: r["name"])
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No function was tried."), []
    findings, against = [], []
    for r in mine:
        twice, bounded = r["left"] == r["right"], r["exceeded"] < 13
        findings.append(
            Finding(
                f"{r['name']}: Lipschitz constant of its gradient",
                number(r["lipschitz"]),
                1,
                f"All pairs of a rational grid. One-sided second derivatives at {r['corner']}: "
                f"{number(r['left'])} and {number(r['right'])}; powers of ten up to 10^12 that the first "
                f"derivative exceeds: {r['exceeded']} of 13.",
                part,
                reported="first and second derivative exist and are bounded",
                agrees=twice and bounded,
            )
        )
        if not twice:
            against.append(
                f"{r['name']} has a gradient with Lipschitz constant {number(r['lipschitz'])} and no second "
                f"derivative at {r['corner']} ({number(r['left'])} from the left, {number(r['right'])} from "
                "the right)"
            )
        if not bounded:
            against.append(
                f"{r['name']} has a gradient with Lipschitz constant {number(r['lipschitz'])} that is not "
                "bounded"
            )
    if against:
        return Ruling(part, Result.DIFFERS, len(mine), "; ".join(against) + "."), findings
    why = "Every function tried has a bounded first and an existing second derivative."
    return Ruling(part, Result.HOLDS, len(mine), why), findings


def cause_kink(rows: Sequence[Row]) -> _Answer:
    """Does the quotient stay bounded on every twin?"""
    part = "cause-kink"
    mine = sorted(_of(rows, "activations"), key=lambda r: r["name"])
    kinked = [r for r in mine if r["kind"] == "kinked"]
    twins = [r for r in mine if r["kind"] == "twin"]
    if not kinked or not twins:
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was tried."), []
    n = len(kinked) + len(twins)
    growing = [r["name"] for r in twins if _growth(r) > 100]
    above = [r["name"] for r in twins if max(r["quotient"]) > r["bound"] * (1 + 1e-3)]
    findings = [
        Finding(
            f"{r['name']}: growth of the quotient from h = 1e-4 to 1e-8",
            number(_growth(r)),
            1,
            f"{r['kind']}; largest quotient {number(max(r['quotient']))}"
            + (f", bound sup |q''| = {number(r['bound'])}" if r["bound"] < float("inf") else "")
            + "; torch autograd, float64.",
            part,
        )
        for r in mine
    ]
    findings += _map(rows, part)
    if growing:
        why = f"The quotient grows on {', '.join(growing)} too."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if all(_growth(r) > 100 for r in kinked) and not above:
        why = (
            f"The quotient grows by {number(min(_growth(r) for r in kinked))} on the kinked activations and "
            f"stays below sup |q''| on all {len(twins)} twins."
        )
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    why = f"A kinked quotient does not grow, or a twin passes its bound ({', '.join(above) or 'none'})."
    return Ruling(part, Attribution.UNDECIDED, n, why), findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda h, width: h > width / 4)
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            spoken,
            f"ReLU rounded over d, {cells[0]['n']} points a cell; theory: its quotient is above half of "
            "ReLU's exactly where h > d/4. The kink is d = 0.",
            part,
        )
    ]


def _growth(row: Row) -> float:
    coarse = row["quotient"][_COARSE]
    return row["quotient"][_FINE] / coarse if coarse > 0 else 0.0


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
