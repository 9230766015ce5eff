"""Rows of ``phase-transition`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _n(row: dict) -> int:
    return row["n"]


def _all(row: dict) -> int:
    return row["entries"]


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("small", "holds in part", set_rows("ends", rmsprop_above=_n), "holds"),
    ("small", "holds in part", set_rows("ends", rmsprop_above=0), "differs"),
    ("large-100", "holds", set_rows("ends", vanilla_above=0), "differs"),
    ("large-1", "holds in part", set_rows("ends", vanilla_above=_n), "holds"),
    ("large-1", "holds in part", set_rows("ends", vanilla_above=0), "differs"),
    ("order", "holds", set_rows("ends", lambda r: r["l1"] < 1, rmsprop_above=0), "holds in part"),
    ("order", "holds", set_rows("ends", rmsprop_above=0, vanilla_above=0), "differs"),
    ("bounds", "holds in part", set_rows("ends", rmsprop_zero=0), "holds"),
    ("bounds", "holds in part", set_rows("ends", vanilla_below=0), "differs"),
    ("two-points", "holds in part", set_rows("ends", rmsprop_two=_all), "holds"),
    ("two-points", "holds in part", set_rows("ends", vanilla_two=0), "differs"),
    (
        "cause-non-differentiable",
        "not supported",
        set_rows("twins", rmsprop_above=0, vanilla_above=0),
        "supported",
    ),
    (
        "cause-non-differentiable",
        "not supported",
        set_rows("twins", lambda r: "rounded" in r["name"], rmsprop_above=0),
        "undecided",
    ),
    (
        "cause-non-differentiable",
        "not supported",
        set_rows("twins", lambda r: "analytic" in r["name"], vanilla_above=0),
        "undecided",
    ),
    (
        "cause-non-differentiable",
        "not supported",
        set_rows("ends", lambda r: r["arithmetic"] == "reals", rmsprop_above=0),
        "undecided",
    ),
]
