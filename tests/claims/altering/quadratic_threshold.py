"""Rows of ``quadratic-threshold`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("threshold", "holds", set_rows("random", lambda r: r["factor"] == 1.01, diverged=False), "differs"),
    (
        "threshold",
        "holds",
        set_rows("random", lambda r: r["factor"] == 0.9, rises=lambda r: r["seed"] % 2),
        "holds in part",
    ),
    ("networks", "holds in part", set_rows("network", diverged=False), "holds"),
    ("networks", "holds in part", set_rows("network", diverged=True), "differs"),
]
