"""Rows of ``step-regimes`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

_SMOOTH = ("rounded", "ridge", "y = 0")

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    (
        "constant",
        "holds in part",
        set_rows("constant", ratio=lambda r: 0.0 if r["problem"] in _SMOOTH else 1.0),
        "holds",
    ),
    (
        "constant",
        "holds in part",
        set_rows("constant", ratio=lambda r: 1.0 if r["problem"] in _SMOOTH else 0.0),
        "differs",
    ),
    ("diminishing", "holds", set_rows("diminishing", lambda r: r["problem"] == "toy", late=1.0), "differs"),
    ("reducing", "holds", set_rows("reducing", lambda r: r["seed"] == 5, same=False), "differs"),
    ("limiting", "holds", set_rows("limiting", reducing=2.0), "differs"),
    ("limiting", "holds", set_rows("limiting", lambda r: r["seed"] == 5, reducing=2.0), "holds in part"),
]
