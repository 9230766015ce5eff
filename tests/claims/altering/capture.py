"""Rows of ``capture`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("figure-1", "holds", set_rows("figure", rises=3), "differs"),
    ("figure-1", "holds", set_rows("figure", lambda r: r["seed"] % 2 == 0, rises=3), "holds in part"),
    ("proposition-3.1", "differs", set_rows("proposition", broken=0, smallest=None), "holds"),
    (
        "cause-not-gd",
        "not supported",
        set_rows("figure", lambda r: r["kind"] != "relu", rises=3),
        "supported",
    ),
]
