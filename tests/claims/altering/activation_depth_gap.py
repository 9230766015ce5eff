"""Rows of ``activation-depth-gap`` altered as if its experiments had come out differently."""

import copy
from collections.abc import Callable

from nonsmooth.claims.activation_depth_gap._plan import KINKED_GELU, NARROW

Rows = list[dict]


def _outcome(time: Callable[[dict], float]) -> Callable[[Rows], None]:
    """Eight seeds of every cell, which reach their targets after about so many steps (0: never)."""

    def alter(rows: Rows) -> None:
        cells = [row for row in rows if row["experiment"] == "race" and row["seed"] == 0]
        rows[:] = [row for row in rows if row["experiment"] != "race"]
        for row in cells:
            for seed in range(8):
                steps = round(time(row) * (1 + 0.02 * ((5 * seed + row["depth"]) % 7)))
                new = {**copy.deepcopy(row), "seed": seed, "times": [steps or None] * 2, "horizon": 400}
                rows.append(new)

    return alter


def _by_depth(shallow: float, deep: float, init: str = "") -> Callable[[Rows], None]:
    """ReLU's times at both depths, in one initialisation or in all; GELU's are 50 steps."""

    def time(row: dict) -> float:
        if row["activation"] != "relu":
            return 50
        return deep if row["depth"] == 19 and row["init"] in (init or row["init"],) else shallow

    return _outcome(time)


def _normed(shallow: float, deep: float) -> Callable[[Rows], None]:
    """ReLU's times with batch norm; GELU's are 50 steps."""

    def time(row: dict) -> float:
        relu = row["activation"] == "relu" and row["batch_norm"]
        return (deep if row["depth"] == 19 else shallow) if relu else 50

    return _outcome(time)


def _named(**times: float) -> Callable[[Rows], None]:
    """By activation, 100 steps unless said."""
    return _outcome(lambda row: times.get(row["activation"].partition(":")[0], 100))


def _shape(row: dict) -> float:
    return 50 if row["activation"] in ("gelu", KINKED_GELU) else 100


def _smoothness(row: dict) -> float:
    return 50 if row["activation"] in ("gelu", *NARROW) else 100


def _common_step(row: dict) -> float:
    """At α = 0.01 and torch's initialisation only GELU trains at depth 19; elsewhere both are alike."""
    stays = row["activation"] == "relu" and row["depth"] == 19 and row["init"] == "torch"
    return 0 if stays and row["stepsize"] == 0.01 else 50


def _init(torch: float, matched: float) -> Callable[[Rows], None]:
    return _outcome(lambda row: torch if row["init"] == "torch" else matched)


# part, what it answers on the real rows, how the rows are altered, what it must answer then
CASES = [
    ("gap-widens", "not judged", _by_depth(60, 120), "holds"),
    ("gap-widens", "not judged", _by_depth(90, 90), "differs"),
    ("gap-widens", "not judged", _by_depth(90, 60), "differs"),
    ("gap-widens", "not judged", _by_depth(60, 120, "matched"), "holds in part"),
    ("gap-widens", "not judged", _outcome(_common_step), "holds in part"),
    ("gap-widens", "not judged", _outcome(lambda row: 0), "not judged"),
    ("batch-norm", "not judged", _normed(50, 50), "holds"),
    ("batch-norm", "not judged", _normed(50, 100), "holds in part"),
    ("batch-norm", "not judged", _normed(100, 100), "differs"),
    ("batch-norm", "not judged", _outcome(lambda row: 0), "not judged"),
    (
        "smooth-faster",
        "not judged",
        _outcome(lambda row: 100 if row["activation"] == "relu" else 50),
        "holds",
    ),
    ("smooth-faster", "not judged", _named(gelu=50, softplus=200), "holds in part"),
    ("smooth-faster", "not judged", _named(softplus=200), "differs"),
    ("cause-smoothness", "undecided", _outcome(_shape), "not supported"),
    ("cause-smoothness", "undecided", _outcome(_smoothness), "supported"),
    ("cause-smoothness", "undecided", _named(), "undecided"),
    ("cause-activation", "undecided", _init(200, 100), "not supported"),
    ("cause-activation", "undecided", _init(50, 100), "supported"),
]
