"""Rows of ``geometric-steps`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _far(row: dict) -> list[float]:
    return [1.0] * len(row["final"])


def _near(row: dict) -> list[float]:
    return [0.0] * len(row["final"])


def _only_twins(rows: list[dict]) -> None:
    """Twins arrive under every schedule, the kinked runs under one."""
    set_rows("ends", lambda r: r["width"] > 0, final=_near)(rows)
    set_rows("ends", lambda r: r["width"] == 0 and r["total"] != 10.0, final=_far)(rows)


def _only_narrow_twins(rows: list[dict]) -> None:
    """As above, but the widest twins fare as the kinked runs do."""
    _only_twins(rows)
    set_rows("ends", lambda r: r["width"] == 1 and r["total"] != 10.0, final=_far)(rows)


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("finite-sum", "holds", set_rows("schedule", sum=1e6), "differs"),
    ("finite-sum", "holds", set_rows("schedule", lambda r: r["decay"] == 0.5, sum=1e6), "holds in part"),
    ("gd-vicinity", "differs", set_rows("search", far=0, smallest=None), "holds"),
    ("ndgm-unclear", "holds in part", set_rows("sharp", worst=2.0), "holds"),
    ("cause-kink", "not supported", _only_twins, "supported"),
    ("cause-kink", "not supported", set_rows("ends", final=_far), "undecided"),
    ("cause-kink", "not supported", _only_narrow_twins, "undecided"),
]
