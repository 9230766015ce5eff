"""The rows of the runs, picked: by protocol, optimiser and strength, one a seed."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.deep_l1._protocols import LARGE, SMALL, norm_of_constants

__all__ = [
    "ARRIVED",
    "both",
    "by_seed",
    "changed",
    "legs",
    "of_experiment",
    "too_short",
    "undecided_because",
]

# The least share of weights that the penalty alone must have brought to 0 for a run to be judged: for shares
# below a threshold; and for norms, where the few that have not arrived count most.
ARRIVED, ARRIVED_FOR_NORMS = 0.95, 0.999


def of_experiment(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]


def legs(rows: Sequence[Row], protocol: str, optimiser: str, strength: float) -> list[Row]:
    """The rows of one cell, by seed."""
    mine = [
        r
        for r in of_experiment(rows, "leg")
        if (r["protocol"], r["optimiser"], r["strength"]) == (protocol, optimiser, strength)
    ]
    return sorted(mine, key=lambda r: r["seed"])


def by_seed(rows: Sequence[Row], protocol: str, optimiser: str, strength: float) -> dict[int, Row]:
    return {r["seed"]: r for r in legs(rows, protocol, optimiser, strength)}


def changed(rows: Sequence[Row], protocol: str, optimiser: str, strength: float) -> list[tuple[Row, Row]]:
    """(the listing's row after as many steps, row of the changed run) of each seed that has both.

    Runs with one choice changed are shorter than the listing, which is measured on its way.
    """
    listing = [
        r
        for r in rows
        if r["experiment"] in ("part", "leg")
        and (r["protocol"], r["optimiser"], r["strength"]) == ("listing", optimiser, strength)
    ]
    # A run that diverged is shorter than planned: its counterpart is then the listing's end.
    ends = {r["seed"]: r for r in listing if r["experiment"] == "leg"}
    ways = {(r["seed"], r["steps"]): r for r in listing}
    mine = [r for r in legs(rows, protocol, optimiser, strength) if r["seed"] in ends]
    return [(ways.get((r["seed"], r["steps"]), ends[r["seed"]]), r) for r in mine]


def both(rows: Sequence[Row], protocol: str, optimiser: str) -> list[tuple[Row, Row]]:
    """(row at λ1 = 2, row at 0.002) of each seed that has both."""
    large, small = (by_seed(rows, protocol, optimiser, strength) for strength in (LARGE, SMALL))
    return [(large[seed], small[seed]) for seed in sorted(set(large) & set(small))]


def too_short(pairs: Sequence[tuple[Row, Row]], norms: bool) -> str:
    """Why the runs at 0.002 are too short for the penalty alone to bring the weights to 0; empty if not."""
    least = ARRIVED_FOR_NORMS if norms else ARRIVED
    for _, small in pairs:
        arrived = small["free"]["arrived"]
        if arrived < least:
            return (
                f"after {small['steps']:,} steps at λ1 = 0.002 the penalty alone has brought "
                f"{100 * arrived:.3g} % of the weights to 0 (the rule needs {100 * least:g} %)"
            )
    return ""


def undecided_because(pairs: Sequence[tuple[Row, Row]], norms: bool) -> str:
    """Why runs cannot decide what the paper says of VGG16; empty if they can.

    They are too short; or, for norms, the weights are so few that what the data keep alive at 0.002 may
    outweigh the floor of all others at 2.
    """
    for large, small in pairs if norms else ():
        floor = large["free"]["mean"] * large["size_penalised"]
        most = norm_of_constants(small["classes"], SMALL)
        if floor < most:
            return (
                f"with {large['size']:,} parameters the floor at λ1 = 2 is {floor:.4g}, less than the "
                f"{most:.4g} that a network which still fits the data may have at 0.002"
            )
    return too_short(pairs, norms)
