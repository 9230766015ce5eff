"""Rows of ``relu-not-L-smooth`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _twin(row: dict) -> bool:
    return row["kind"] == "twin"


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("quotient", "holds", set_rows("exact", lambda r: r["k"] == 7, is_half_over_h=False), "differs"),
    ("networks", "holds in part", set_rows("loss", growth=100.0), "holds"),
    ("networks", "holds in part", set_rows("loss", growth=1.0), "differs"),
    ("derivatives", "differs", set_rows("functions", left=1.0, right=1.0, exceeded=0), "holds"),
    (
        "cause-kink",
        "supported",
        set_rows("activations", _twin, quotient=lambda r: [10.0**k for k in range(13)]),
        "not supported",
    ),
    ("cause-kink", "supported", set_rows("activations", _twin, bound=0.0), "undecided"),
]
