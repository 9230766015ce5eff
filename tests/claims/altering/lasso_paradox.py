"""Rows of ``lasso-paradox`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("larger-norm", "holds", set_rows("random", norm_low=0.0), "differs"),
    ("printed-numbers", "holds in part", set_rows("random", norm=1e-3), "differs"),
    ("other-data", "holds", set_rows("real", hits=0), "differs"),
    ("cause-subgradient", "supported", set_rows("random", gap=1e-6), "undecided"),
    ("cause-subgradient", "supported", set_rows("random", prox=1.0), "not supported"),
    ("cause-kink", "not supported", set_rows("random", narrow_low=0.0), "supported"),
]
