"""Rows of ``unstable-convergence`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("loss", "holds", set_rows("families", diverged=True), "differs"),
    ("iterates", "differs", set_rows("unbounded", power=0.0), "holds"),
    ("bound", "differs", set_rows("cycles", smallest=None, clean=None, best=1.0), "holds"),
    (
        "cause-lipschitz",
        "supported",
        set_rows("growth", lambda r: r["lipschitz"], diverged=lambda r: r["n"]),
        "not supported",
    ),
    (
        "cause-non-smooth",
        "not supported",
        set_rows("growth", lambda r: r["stepsize"] > 1, diverged=lambda r: r["n"] * r["kinked"]),
        "supported",
    ),
]
