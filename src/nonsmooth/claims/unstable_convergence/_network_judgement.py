"""The two rulings on networks at the edge of stability, by the rules that the claim's parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims._edge_judgement import BAND, at_edge, edge_finding, first_reached
from nonsmooth.claims._edge_plan import KINKED, SMOOTH
from nonsmooth.findings import Attribution, Finding, Result, Ruling, number, share

__all__ = ["network_cause", "network_edge"]

_Answer = tuple[Ruling, list[Finding]]


def network_edge(rows: Sequence[Row]) -> _Answer:
    """Do runs past 2/sharpness not diverge, with a loss that rises at times and falls in the end?"""
    part = "network-edge"
    mine = _runs(rows)
    reached = [r for r in mine if first_reached(r) is not None]
    if not reached:
        return Ruling(part, Result.NOT_JUDGED, 0, "No network's sharpness reached 2/α."), []
    found = share(_unstably(r) for r in reached)
    diverged = sum(r["diverged"] for r in reached)
    still = sum(not r["diverged"] and r["late_rises"] == 0 for r in reached)
    finding = Finding(
        "runs past 2/α that do not diverge, rise at times and end lower",
        str(found),
        found.n,
        f"Of {len(mine)} runs {len(reached)} reach 2/α. Diverged {diverged}; without a rise in the last "
        f"quarter {still}. Steps of the last quarter at which the loss rises: "
        f"{sum(r['late_rises'] for r in reached)} of {sum(r['late_steps'] for r in reached)}. float32; "
        "Wilson interval.",
        part,
        reported="does not diverge, falls non-monotonically",
        interval=found.interval,
        agrees=found.interval[0] > 0.7,
    )
    why = f"Past 2/α, {found} runs neither diverge nor stop falling in the long run, and rise on the way."
    if found.interval[0] > 0.7:
        return Ruling(part, Result.HOLDS, found.n, why), [finding]
    if found.interval[1] < 0.3:
        return Ruling(part, Result.DIFFERS, found.n, why), [finding]
    return Ruling(part, Result.IN_PART, found.n, why, str(found)), [finding]


def network_cause(rows: Sequence[Row]) -> _Answer:
    """Are only kinked networks at the edge?"""
    part = "network-cause"
    mine = _runs(rows)
    kinked = [r for r in mine if r["activation"] in KINKED]
    smooth = [r for r in mine if r["activation"] in SMOOTH]
    if not kinked or not smooth:
        return Ruling(part, Attribution.UNDECIDED, 0, "Not both kinds of network were run."), []
    with_kinks, without = (share((at_edge(r) for r in each), 2) for each in (kinked, smooth))
    findings = [
        edge_finding("kinked (ReLU, hardtanh)", kinked, part, 2),
        edge_finding("smooth (ELU, tanh, softplus)", smooth, part, 2),
    ]
    findings += [_other_choice(*choice, kinked, smooth, part) for choice in _choices(mine)]
    cells = sorted({(r["network"], r["loss"], r["activation"]) for r in mine})
    for network, loss, name in cells:
        each = [r for r in mine if (r["network"], r["loss"], r["activation"]) == (network, loss, name)]
        findings.append(
            edge_finding(f"{network}, {loss}, {name} (2/α {each[0]['rise']:g} × the first)", each, part, 1)
        )
    n = min(with_kinks.n, without.n)
    said = f"kinked {with_kinks}, smooth {without}"
    if with_kinks.interval[0] > 0.5 and without.interval[0] > 0.5:
        why = f"Smooth networks are at the edge of stability as kinked ones are: {said}."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why, said), findings
    if with_kinks.interval[0] > 0.5 and without.interval[1] < 0.25:
        why = f"Only kinked networks are at the edge of stability: {said}."
        return Ruling(part, Attribution.SUPPORTED, n, why, said), findings
    return Ruling(part, Attribution.UNDECIDED, n, f"At the edge: {said}.", said), findings


def _choices(runs: Sequence[Row]) -> list[tuple[str, tuple[float, float], str | None]]:
    """Other bands with every loss, then the rule's own with each loss alone, where there are several."""
    losses = sorted({r["loss"] for r in runs})
    choices: list[tuple[str, tuple[float, float], str | None]] = [
        (f"band [{BAND[0]:g}, {high:g}]", (BAND[0], high), None) for high in (1.2, 1.5, 2.0)
    ]
    return choices + [(f"{loss} alone", BAND, loss) for loss in losses if len(losses) > 1]


def _other_choice(
    title: str,
    band: tuple[float, float],
    loss: str | None,
    kinked: Sequence[Row],
    smooth: Sequence[Row],
    part: str,
) -> Finding:
    """What the rule would meet with another band, or with one loss: it decides nothing."""
    shares = [
        share((at_edge(r, band) for r in runs if loss in (None, r["loss"])), 2) for runs in (kinked, smooth)
    ]
    lower = " and ".join(number(found.interval[0], 2) for found in shares)
    return Finding(
        f"{title}: runs at the edge, kinked and smooth",
        " and ".join(map(str, shares)),
        min(found.n for found in shares),
        f"Wilson lower ends {lower}; the rule asks for more than 0.5 of both. It decides nothing, and shows "
        "how far the answer depends on the choice.",
        part,
    )


def _runs(rows: Sequence[Row]) -> list[Row]:
    return [r for r in rows if r["experiment"] == "network-edge"]


def _unstably(row: Row) -> bool:
    k = first_reached(row)
    assert k is not None
    return not row["diverged"] and row["late_rises"] > 0 and row["losses"][-1] < 0.9 * row["losses"][k]
