"""Rows of ``deep-l1`` altered as if its experiments had come out differently."""

import copy

from claims.altering.rows import Rows, set_rows
from nonsmooth.claims.deep_l1._protocols import PRINTED, PRINTED_STEPS


def _seeds(*alterations):
    """Three seeds in place of one, long and large enough to be judged; then altered further."""

    def alter(rows: Rows) -> None:
        mine = [row for row in rows if row["experiment"] == "leg"]
        for seed in (1, 2):
            rows += [{**copy.deepcopy(row), "seed": seed} for row in mine]
        for row in rows:
            if row["experiment"] == "leg" and "free" in row:
                row["free"] = {**row["free"], "arrived": 1.0, "mean": 1.0}
        for each in alterations:
            each(rows)

    return alter


def _at(**values):
    """Fields by strength: the value at 2, or a function of the row."""
    return set_rows("leg", lambda r: r["strength"] == 2, **values)


def _printed(row: dict) -> float:
    return float(PRINTED[row["optimiser"], row["strength"]]) / 100


_HARD = 1e5
_REAL = {"weights": "vgg16.pth", "steps": PRINTED_STEPS}

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    (
        "norms-differ",
        "not judged",
        _seeds(set_rows("leg", norm=lambda r: {"SGD": 9.0, "RMSProp": 3.0, "Adam": 1.0}[r["optimiser"]])),
        "holds",
    ),
    ("norms-differ", "not judged", _seeds(set_rows("leg", norm=1.0)), "differs"),
    (
        "norms-differ",
        "not judged",
        _seeds(set_rows("leg", norm=1.0), _at(norm=lambda r: len(r["optimiser"]))),
        "holds in part",
    ),
    *(
        case
        for name in ("SGD", "Adam")
        for case in (
            (f"larger-norm-{name}", "not judged", _seeds(_at(norm=_HARD)), "holds"),
            (f"larger-norm-{name}", "not judged", _seeds(_at(norm=0.0)), "differs"),
            (
                f"larger-norm-{name}",
                "not judged",
                _seeds(_at(norm=lambda r: _HARD if r["protocol"] == "listing" else 0.0)),
                "holds in part",
            ),
            (f"fewer-prunable-{name}", "not judged", _seeds(_at(share=0.0)), "holds"),
            (f"fewer-prunable-{name}", "not judged", _seeds(_at(share=1.0)), "differs"),
        )
    ),
    ("table-2", "not judged", _seeds(set_rows("leg", **_REAL, share=_printed)), "holds"),
    ("table-2", "not judged", _seeds(set_rows("leg", **_REAL, share=0.5)), "differs"),
    (
        "table-2",
        "not judged",
        _seeds(set_rows("leg", **_REAL, share=_printed), _at(share=0.5)),
        "holds in part",
    ),
    ("cause-more-complex", "undecided", set_rows("leg", share_penalised=0.99), "supported"),
    (
        "cause-more-complex",
        "undecided",
        set_rows("leg", lambda r: "free" in r, share_penalised=lambda r: r["free"]["share"]),
        "not supported",
    ),
    ("cause-L1", "not supported", set_rows("leg", zero_penalised=0.0), "supported"),
    (
        "cause-L1",
        "not supported",
        set_rows("leg", lambda r: r["protocol"] == "attached" and r["strength"] < 1, norm_penalised=-1.0),
        "undecided",
    ),
    (
        "cause-L1",
        "not supported",
        set_rows("leg", lambda r: r["protocol"] == "clean", share_penalised=0.5),
        "undecided",
    ),
    (
        "cause-kink",
        "undecided",
        set_rows("leg", lambda r: r["protocol"] in ("narrow", "wide"), share_penalised=0.99),
        "supported",
    ),
    (
        "cause-kink",
        "undecided",
        set_rows("leg", lambda r: r["protocol"] == "wide", share_penalised=0.99),
        "not supported",
    ),
]
