"""Rows of ``soft-threshold`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("not-optimal", "holds in part", set_rows("lasso", gap=1.0, zeros=3), "holds"),
    ("not-optimal", "holds in part", set_rows("lasso", gap=0.0), "differs"),
    ("necessarily", "differs", set_rows("network", excess=0.1), "holds"),
    ("necessarily", "differs", set_rows("network", excess=lambda r: r["seed"] % 2), "holds in part"),
    ("cause-L-smooth", "undecided", set_rows("deviations", fading_late=9.0), "supported"),
    ("cause-L-smooth", "undecided", set_rows("deviations", twin_below=1.0), "not supported"),
]
