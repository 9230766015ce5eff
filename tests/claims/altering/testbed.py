"""Rows of ``testbed`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("known-minimum", "holds", set_rows("known", lambda r: r["seed"] == 3, error=1e-6), "differs"),
    ("known-minimum", "holds", set_rows("known", lambda r: r["seed"] == 3, bent=1e-9), "differs"),
    ("tractable", "holds", set_rows("runs", lambda r: r["method"] == "Adam", sharp=1.01), "differs"),
    ("non-differentiable-end", "holds in part", set_rows("runs", relu_kinks=True), "holds"),
    ("non-differentiable-end", "holds in part", set_rows("runs", relu_kinks=False), "differs"),
    (
        "differs-from-twin",
        "holds in part",
        set_rows("twins", lambda r: r["kind"] == "narrow", behaviour="converges"),
        "holds",
    ),
    ("differs-from-twin", "holds in part", set_rows("twins", behaviour="bounded"), "differs"),
]
