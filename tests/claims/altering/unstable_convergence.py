"""Rows of ``unstable-convergence`` altered as if its experiments had come out differently."""

from claims.altering.rows import set_rows


def _smooth(row: dict) -> bool:
    return row["activation"] in ("elu", "tanh", "softplus")


def _hover(height: float):
    """Ratios that rise from below to this height and stay there."""
    return lambda row: [0.5, *[height] * (len(row["ratios"]) - 1)]


def _fallen(row: dict) -> list[float]:
    return [*row["losses"][:-1], 0.0]


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
    ("network-edge", "holds in part", set_rows("network-edge", late_rises=1, losses=_fallen), "holds"),
    ("network-edge", "holds in part", set_rows("network-edge", diverged=True), "differs"),
    ("network-edge", "holds in part", set_rows("network-edge", ratios=_hover(0.9)), "not judged"),
    ("network-cause", "not supported", set_rows("network-edge", _smooth, ratios=_hover(0.9)), "supported"),
    ("network-cause", "not supported", set_rows("network-edge", ratios=_hover(0.9)), "undecided"),
    ("network-cause", "not supported", set_rows("network-edge", ratios=_hover(1.6)), "undecided"),
]
