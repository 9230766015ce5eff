"""Rows of ``objective-family`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("convex", "holds", set_rows("exact", lambda r: r["responses"] == "non-positive", violated=1), "differs"),
    ("convex", "holds", set_rows("random", worst=1e-3), "differs"),
    ("convex", "holds", set_rows("random", lambda r: r["seed"] == 0, dcp=False), "holds in part"),
    ("unique-minimiser", "holds", set_rows("exact", lambda r: r["regime"] == "l2", only_zero=0), "differs"),
    ("unique-minimiser", "holds", set_rows("random", above=-0.1), "differs"),
    ("unique-minimiser", "holds", set_rows("random", gap=0.1), "holds in part"),
    ("positive-response", "holds", set_rows("positive", dip=0.0), "holds in part"),
    ("non-differentiable", "holds in part", set_rows("exact", kinked_at_zero=lambda r: r["n"]), "holds"),
    ("non-differentiable", "holds in part", set_rows("exact", kinked_at_zero=0), "differs"),
    ("column", "holds in part", set_rows("columns", column=True), "holds"),
    ("column", "holds in part", set_rows("columns", product=False), "differs"),
]
