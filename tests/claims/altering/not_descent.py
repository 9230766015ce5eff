"""Rows of ``not-descent`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _nothing_rises(rows: list[dict]) -> None:
    set_rows("rises", rises=0)(rows)
    set_rows("kink", increases=0)(rows)


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("increases", "holds in part", set_rows("rises", rises=5), "holds"),
    ("increases", "holds in part", _nothing_rises, "differs"),
    ("gradient-method", "holds in part", set_rows("gradient-method", rises=0), "holds"),
    (
        "gradient-method",
        "holds in part",
        set_rows("gradient-method", lambda r: r["factor"] == 0.5 and r["seed"] == 3, rises=1),
        "differs",
    ),
    (
        "cause-non-descent",
        "not supported",
        set_rows(
            "figure-1", rises=lambda r: r["seed"] % 8 == 0, largest=lambda r: 1.5 * (r["seed"] % 8 == 0)
        ),
        "supported",
    ),
    ("cause-non-descent", "not supported", set_rows("figure-1", rises=3), "undecided"),
]
