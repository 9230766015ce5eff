"""Rows of ``toy-lasso-orbit`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("non-zero", "holds", set_rows("rationals", surprises=1), "differs"),
    ("orbit", "holds", set_rows("orbits", cycles=0), "differs"),
    ("formula-8", "holds in part", set_rows("formula", common=lambda r: r["n"]), "holds"),
    ("formula-8", "holds in part", set_rows("formula", lambda r: r["P"] > 1, common=0), "differs"),
    ("cause-kink", "supported", set_rows("twins", converged=0), "not supported"),
]
