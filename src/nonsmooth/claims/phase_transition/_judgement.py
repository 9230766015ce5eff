"""The seven rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.phase_transition._experiments import (
    ARITHMETICS,
    CAPTION,
    DECAY,
    DIMENSION,
    FLOATS,
    REALS,
    SMALL,
    STEPSIZE,
    TEXT,
    TWINS,
)
from nonsmooth.claims.phase_transition._theory import captured, ends, expected, orders
from nonsmooth.findings import Attribution, Finding, Result, Ruling, Share, against_theory, number, share_of

__all__ = ["bounds", "cause_non_differentiable", "order", "order_at", "two_points"]

_Answer = tuple[Ruling, list[Finding]]

_TITLES = {"vanilla": "vanilla", "rmsprop": "RMSProp"}
_BOUNDS = {0.01: ("0.0001", "0.01"), CAPTION: ("10,000", "100")}


def order_at(rows: Sequence[Row], part: str, l1: float) -> _Answer:
    """Is the figure's order met at one λ1, in each arithmetic?"""
    mine = _ends(rows, l1)
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run in all three arithmetics."), []
    shares = {kind: _ordered(r, comparisons=3) for kind, r in mine.items()}
    above = "RMSProp" if l1 < TEXT else "vanilla"
    findings = [
        Finding(
            f"starts with {above} above, no overlap, λ1 = {l1:g}, {kind}",
            str(found),
            found.n,
            f"Last 100 of {mine[kind]['iterations']:,} iterations, uniform starts. Theory, settled: "
            f"{orders(DIMENSION, STEPSIZE, l1, DECAY, kind != REALS)[l1 >= TEXT]:.3f}. RMSProp entries at an "
            f"exact 0: {_percent(mine[kind]['rmsprop_at_zero'], mine[kind]['entries'])}.",
            part,
            reported=f"{above} above",
            interval=found.interval,
            agrees=found.interval[0] > 0.9,
        )
        for kind, found in shares.items()
    ]
    if l1 == SMALL:
        findings += [*_equal_starts(mine[REALS], part), *_map_against_theory(rows, part)]
    n = min(found.n for found in shares.values())
    region = ", ".join(f"{kind}: {_percent(found.hits, found.n)}" for kind, found in shares.items())
    if all(found.interval[0] > 0.9 for found in shares.values()):
        return Ruling(part, Result.HOLDS, n, f"{above} ends above in nearly every start.", region), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        why = f"{above} ends above in hardly any start."
        return Ruling(part, Result.DIFFERS, n, why, region), findings
    why = (
        f"{above} ends above, without overlap, in a share of starts that depends on the arithmetic: {region}."
    )
    return Ruling(part, Result.IN_PART, n, why, region), findings


def order(rows: Sequence[Row]) -> _Answer:
    """Is the figure's order typical on both sides of λ1 = 1?"""
    part = "order"
    strengths = (SMALL, 0.01, 10.0, CAPTION)
    mine = {l1: _ends(rows, l1) for l1 in strengths}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run at every λ1 in all three arithmetics."), []
    shares = {
        (l1, kind): _ordered(r, comparisons=12) for l1, kinds in mine.items() for kind, r in kinds.items()
    }
    findings = [
        Finding(
            f"starts in the figure's order, {kind}",
            ", ".join(f"λ1 = {l1:g}: {shares[l1, kind]}" for l1 in strengths),
            min(shares[l1, kind].n for l1 in strengths),
            "No overlap over the last 100 iterations.",
            part,
            reported="typically",
            agrees=all(shares[l1, kind].interval[0] > 0.5 for l1 in strengths),
        )
        for kind in ARITHMETICS
    ]
    n = min(found.n for found in shares.values())
    least = min(shares.values(), key=lambda found: found.value)
    if all(found.interval[0] > 0.5 for found in shares.values()):
        why = f"Met by more than half of the starts at each λ1 in each arithmetic; least: {least}."
        return Ruling(part, Result.HOLDS, n, why, "more than half, not all, of the starts"), findings
    if all(found.interval[1] < 0.5 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "Met by fewer than half of the starts everywhere."), findings
    why = f"Not met by clearly more than half of the starts at each λ1 in each arithmetic; least: {least}."
    return Ruling(part, Result.IN_PART, n, why), findings


def bounds(rows: Sequence[Row]) -> _Answer:
    """Do the final losses of nearly every start stay below the printed bounds, and above 0?"""
    part = "bounds"
    mine = {l1: _ends(rows, l1) for l1 in _BOUNDS}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run at both λ1 in all three arithmetics."), []
    found = ends(STEPSIZE, DECAY)
    aligned = found.small**DIMENSION + found.large**DIMENSION
    findings, below, positive, least = [], True, dict.fromkeys(ARITHMETICS, True), (1, 1)
    for l1, printed in _BOUNDS.items():
        for name, bound in zip(("vanilla", "rmsprop"), printed, strict=True):
            greatest = max(r[f"{name}_most"] for r in mine[l1].values())
            stay = {k: share_of(r[f"{name}_below"], r["n"], comparisons=24) for k, r in mine[l1].items()}
            off = {
                k: share_of(r["n"] - r[f"{name}_zero"], r["n"], comparisons=24) for k, r in mine[l1].items()
            }
            below = below and all(each.interval[0] > 0.9 for each in stay.values())
            positive = {k: positive[k] and off[k].interval[0] > 0.9 for k in ARITHMETICS}
            least = min(
                least, *((each.hits, each.n) for each in off.values()), key=lambda each: each[0] / each[1]
            )
            why = f"Greatest loss {number(greatest * float(bound.replace(',', '')))}; last 100 iterations."
            if name == "rmsprop":
                why += (
                    f" Over the reals theory has {aligned:.2%} of starts with all entries drawn to 0 in "
                    "step: their losses tend to 0 and to the bound in turn."
                )
            findings.append(
                Finding(
                    f"starts below the bound, and with no loss of 0: {_TITLES[name]}, λ1 = {l1:g}",
                    "; ".join(f"{k}: {stay[k].hits} and {off[k].hits} of {stay[k].n}" for k in ARITHMETICS),
                    min(each.n for each in stay.values()),
                    why,
                    part,
                    reported=f"two positive values, each less than {bound}",
                    agrees=all(each.hits == each.n for each in (*stay.values(), *off.values())),
                )
            )
    n = min(r["n"] for kinds in mine.values() for r in kinds.values())
    region = " and ".join(kind for kind in ARITHMETICS if positive[kind])
    if below and all(positive.values()):
        why = "In nearly every start all final losses are positive and below their bounds."
        return Ruling(part, Result.HOLDS, n, why), findings
    if below:
        why = (
            "Nearly every start obeys all four bounds; but RMSProp's loss ends at exactly 0 in many: no more "
            f"than {least[0]} of {least[1]} stay off it."
        )
        region = "the bounds" + (f"; positivity: {region}" if region else "")
        return Ruling(part, Result.IN_PART, n, why, region), findings
    if all(positive.values()):
        return Ruling(part, Result.IN_PART, n, "Positive, but many starts reach a bound."), findings
    return Ruling(part, Result.DIFFERS, n, "Many starts reach a bound, and many have a loss of 0."), findings


def two_points(rows: Sequence[Row]) -> _Answer:
    """Does each entry alternate between two values?"""
    part = "two-points"
    mine = _ends(rows, TEXT)
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run in all three arithmetics."), []
    shares = {
        (kind, name): share_of(r[f"{name}_two"], r["entries"], comparisons=2)
        for kind, r in mine.items()
        for name in ("vanilla", "rmsprop")
    }
    findings = [
        Finding(
            f"{'RMSProp' if name == 'rmsprop' else 'vanilla'} entries that alternate between two values, "
            f"{kind}",
            _percent(found.hits, found.n),
            found.n,
            "λ1 = 1, last 100 iterations, to 1 % of the step."
            + (
                f" At an exact 0: {_percent(mine[kind]['rmsprop_at_zero'], mine[kind]['entries'])}. Theory: "
                f"{1 - captured(STEPSIZE, DECAY):.1%} keep two values."
                if name == "rmsprop"
                else ""
            ),
            part,
            reported="all",
            interval=found.interval,
            agrees=found.interval[0] > 0.9,
        )
        for (kind, name), found in shares.items()
    ]
    n = mine[REALS]["entries"]
    vanilla, rmsprop = (shares[REALS, name] for name in ("vanilla", "rmsprop"))
    good = [found.interval[0] > 0.9 for found in (vanilla, rmsprop)]
    if all(good):
        return Ruling(part, Result.HOLDS, n, "Both alternate between two points."), findings
    if any(good):
        why = (
            f"Over the reals {_percent(vanilla.hits, n)} of vanilla's entries alternate between two values, "
            f"and {_percent(rmsprop.hits, n)} of RMSProp's: the others are drawn to 0 and pass next to 0, α, "
            "0, -α."
        )
        return Ruling(part, Result.IN_PART, n, why, "vanilla" if good[0] else "RMSProp"), findings
    return Ruling(part, Result.DIFFERS, n, "Neither alternates between two points."), findings


def cause_non_differentiable(rows: Sequence[Row]) -> _Answer:
    """Do differentiable functions show the same order on both sides?"""
    part = "cause-non-differentiable"
    twins = [r for r in rows if r["experiment"] == "twins"]
    by_name = {name: {r["l1"]: r for r in twins if r["name"] == name} for name in TWINS}
    small, large = _ends(rows, SMALL), _ends(rows, CAPTION)
    if not all({SMALL, CAPTION} <= runs.keys() for runs in by_name.values()):
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), []
    shows, lacks, findings = {}, {}, []
    for name, runs in by_name.items():
        shares = [_ordered(runs[l1], comparisons=8) for l1 in (SMALL, CAPTION)]
        shows[name] = all(found.interval[0] > 0.9 for found in shares)
        lacks[name] = any(found.interval[1] < 0.9 for found in shares)
        findings.append(
            Finding(
                f"twin {name}: starts in the figure's order",
                f"λ1 = {SMALL:g}: {shares[0]}; λ1 = {CAPTION:g}: {shares[1]}",
                min(found.n for found in shares),
                f"Median greatest final loss, vanilla and RMSProp: {_losses(runs[SMALL])}; "
                f"{_losses(runs[CAPTION])}. α is {number(runs[SMALL]['edge'], 2)} and "
                f"{number(runs[CAPTION]['edge'], 2)} times 2/L. float64.",
                part,
            )
        )
    if not small or not large:
        return Ruling(part, Attribution.UNDECIDED, 0, "The kinked penalty was not run."), findings
    n = min(r["n"] for r in twins)
    here = [_ordered(small[REALS], comparisons=8), _ordered(large[FLOATS[0]], comparisons=8)]
    if not all(found.interval[0] > 0.9 for found in here):
        return Ruling(part, Attribution.UNDECIDED, n, "The kinked penalty does not show it here."), findings
    if all(shows.values()):
        why = (
            "A quadratic shows the same: RMSProp's normalised step keeps it off 0 at every λ1, and gradient "
            "descent converges for α < 2/L and diverges beyond. So does |b| with its kink rounded off: below "
            "2/L gradient descent converges, beyond it alternates about 0 as on the kink."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if all(lacks.values()):
        return Ruling(part, Attribution.SUPPORTED, n, "No differentiable twin shows it."), findings
    which = ", ".join(name for name in TWINS if shows[name]) or "none of them clearly"
    return Ruling(part, Attribution.UNDECIDED, n, f"The twins are divided; shown by: {which}."), findings


def _ends(rows: Sequence[Row], l1: float) -> dict[str, Row]:
    """The row of each arithmetic at one λ1; nothing where one is missing."""
    mine = {r["arithmetic"]: r for r in rows if r["experiment"] == "ends" and r["l1"] == l1}
    return {kind: mine[kind] for kind in ARITHMETICS} if mine.keys() == set(ARITHMETICS) else {}


def _ordered(row: Row, comparisons: int) -> Share:
    """The share of starts in the figure's order at the row's λ1."""
    return share_of(row["rmsprop_above" if row["l1"] < TEXT else "vanilla_above"], row["n"], comparisons)


def _percent(hits: int, n: int) -> str:
    return f"{hits / n:.0%}"


def _losses(row: Row) -> str:
    vanilla = "diverges" if row["diverged"] == row["n"] else number(row["vanilla"])
    return f"{vanilla} and {number(row['rmsprop'])} at λ1 = {row['l1']:g}"


def _equal_starts(real: Row, part: str) -> list[Finding]:
    return [
        Finding(
            f"starts with ten equal entries whose losses do not overlap, λ1 = {real['l1']:g}, reals",
            f"{real['equal_disjoint']} of {real['n']}",
            real["n"],
            "The bounds P α λ1² and P α λ1 hold for these as well, and order nothing: upper bounds alone "
            "cannot. They have probability 0, their neighbourhoods have not.",
            part,
        )
    ]


def _map_against_theory(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = sorted((r for r in rows if r["experiment"] == "map"), key=lambda r: (r["x"], r["y"]))
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda x, y: expected(DIMENSION, STEPSIZE, x, DECAY, int(y)))
    return [
        Finding(
            "map of the figure's order over λ1 and iterations: clear cells that theory gets right",
            f"{right} of {clear}",
            spoken,
            "float64; clear: more or fewer than half of the starts, by the 95 % Wilson interval allowing for "
            "all cells. Theory: sums of uniform entries, vanilla's way to 0, and RMSProp's captured entries.",
            part,
        )
    ]
