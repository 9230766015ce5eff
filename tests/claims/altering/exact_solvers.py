"""Rows of ``exact-solvers`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _stock(row: dict) -> bool:
    return row["where"] == "torch" and row["method"] != "sgd-prox" and row["penalty"] == "l1"


def _twin(row: dict) -> bool:
    return row["penalty"] != "kinked"


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("solver-optimal", "holds in part", set_rows("solver", warned=False, gap=0.0), "holds"),
    ("solver-optimal", "holds in part", set_rows("solver", lambda r: not r["warned"], gap=0.1), "differs"),
    ("not-sparse", "holds", set_rows("run", _stock, zeros=lambda r: r["exact_zeros"]), "differs"),
    (
        "not-sparse",
        "holds",
        set_rows("run", lambda r: _stock(r) and r["method"] == "adam", zeros=lambda r: r["exact_zeros"]),
        "holds in part",
    ),
    ("no-guarantee", "holds", set_rows("run", _stock, excess=0.0), "differs"),
    ("no-guarantee", "holds", set_rows("run", lambda r: r["method"] == "adam", excess=0.0), "holds in part"),
    ("no-guarantee", "holds", set_rows("run", exact_gap=1e-3), "not judged"),
    (
        "cause-framework",
        "not supported",
        set_rows("run", lambda r: r["where"] == "torch" and r["method"] == "sgd-prox", excess=0.1),
        "supported",
    ),
    (
        "cause-framework",
        "not supported",
        set_rows("run", lambda r: r["where"] == "numpy", zeros=lambda r: r["exact_zeros"]),
        "undecided",
    ),
    (
        "cause-framework",
        "not supported",
        set_rows("run", _stock, zeros=lambda r: r["exact_zeros"]),
        "undecided",
    ),
    ("cause-kink", "supported", set_rows("twins", _twin, converged=0), "not supported"),
    ("cause-kink", "supported", set_rows("twins", converged=lambda r: r["n"]), "not supported"),
    (
        "cause-kink",
        "supported",
        set_rows("twins", lambda r: r["penalty"] == "medium", converged=0),
        "undecided",
    ),
]
