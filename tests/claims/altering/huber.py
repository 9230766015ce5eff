"""Rows of ``huber`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _square(row: dict) -> bool:
    return row["loss"] == "square"


def _hover(height: float):
    """Ratios that rise from below to this height and stay there."""
    return lambda row: [0.5, *[height] * (len(row["ratios"]) - 1)]


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
    (
        "network-divergence",
        "holds in part",
        set_rows("network-steps", diverged=False, highest=lambda r: r["first"]),
        "holds",
    ),
    ("network-divergence", "holds in part", set_rows("network-steps", diverged=True), "differs"),
    ("network-cause", "not supported", set_rows("network-edge", _square, ratios=_hover(1.6)), "supported"),
    ("network-cause", "not supported", set_rows("network-edge", _square, diverged=True), "supported"),
    ("network-cause", "not supported", set_rows("network-edge", ratios=_hover(0.9)), "undecided"),
    ("network-cause", "not supported", set_rows("network-edge", unconverged=1), "undecided"),
]
