"""Rows of ``huber`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows

# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("no-divergence", "holds", set_rows("grid", lambda r: r["loss"] == "huber", diverged=True), "differs"),
    ("oscillation", "holds in part", set_rows("grid", frequency=lambda r: r["factor"] / 200), "holds"),
    ("oscillation", "holds in part", set_rows("printed", rises=1), "differs"),
    ("non-smooth", "holds in part", set_rows("class", worst=2.0), "holds"),
    ("non-smooth", "holds in part", set_rows("class", second_right=1.0), "differs"),
    ("growth", "holds", set_rows("class", growth_spread=0.5), "differs"),
    ("cause-non-smooth", "not supported", set_rows("printed", diverged=True), "supported"),
    ("cause-bounded-slope", "supported", set_rows("grid", diverged=False), "not supported"),
]
