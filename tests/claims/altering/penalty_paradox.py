"""Rows of ``penalty-paradox`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _smooth(row: dict) -> bool:
    return row["kind"] == "smooth"


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("printed-orbits", "holds", set_rows("exact", upper=0.5), "differs"),
    ("larger-norm", "holds", set_rows("worked", lambda r: r["l1"] == 1, norm_high=2.0), "differs"),
    ("cause-step", "supported", set_rows("floor", ratio_high=1.5), "not supported"),
    ("cause-kink", "not supported", set_rows("twins", _smooth, norm_low=0.0), "supported"),
]
