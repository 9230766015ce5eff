"""Rows of ``floor-bound`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _n(row: dict) -> int:
    return row["n"]


def _constant(row: dict) -> bool:
    return row["schedule"] == "α"


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("eq-9", "differs", set_rows("cycles", last_below=_n), "holds"),
    ("eq-9", "differs", set_rows("cycles", lambda r: r["P"] == 2, last_below=_n), "holds in part"),
    ("limit", "differs", set_rows("cycles", one_norm=_n), "holds"),
    ("limit", "differs", set_rows("cycles", lambda r: r["P"] == 1, one_norm=_n), "holds in part"),
    ("lipschitz", "holds in part", set_rows("quotients", greatest=1.0), "holds"),
    ("lipschitz", "holds in part", set_rows("quotients", greatest=2.0), "differs"),
    ("cited-bound", "holds in part", set_rows("cycles", last_in_half=_n), "holds"),
    ("cited-bound", "holds in part", set_rows("exact", best_above_half=1), "differs"),
    ("upper", "holds", set_rows("exact", above_B6=1), "differs"),
    ("lower", "holds", set_rows("exact", surprises=1), "differs"),
    ("larger-error", "holds in part", set_rows("pairs", larger=_n, last=_n), "holds"),
    ("larger-error", "holds in part", set_rows("pairs", mean=0), "differs"),
    ("diminishing", "holds", set_rows("shrinking", with_step=0), "differs"),
    ("cause-lipschitz", "not supported", set_rows("twins", lambda r: r["width"] > 0, at_zero=0), "supported"),
    (
        "cause-lipschitz",
        "not supported",
        set_rows("twins", lambda r: r["width"] == 0, mean_low=0),
        "undecided",
    ),
    ("cause-step-to-zero", "supported", set_rows("shrinking", falls=_n), "not supported"),
    ("cause-step-to-zero", "supported", set_rows("shrinking", falls=0), "not supported"),
    ("cause-step-to-zero", "supported", set_rows("shrinking", _constant, falls=_n), "undecided"),
]
