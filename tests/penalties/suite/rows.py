"""One row a penalty: how to make it, its formula written once more, and how its groups are found.

Everything that every penalty must do is tested on these rows; a new penalty is a new row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mpmath import log

from nonsmooth.penalties import L0, L1, MCP, SCAD, ElasticNet, GroupL1, LogSum, Penalty, SparseGroupL1

SHAPE = (4, 6)  # of the parameter in all tests; "filters" see it as (4, 3, 2)
LABELS = [3, 0, 3, 7, 7, 7]


@dataclass(frozen=True)
class Row:
    """What the tests need to know of one penalty.

    Attributes:
        make: strength -> penalty.
        zoomed: (strength, k) -> the penalty whose prox satisfies prox(k x, s) = k prox_make(strength)(x, s).
        entry: (u, strength) -> the penalty of one entry u >= 0, also in multiple precision; separable ones.
        shares: (a, b) of strength (a ||x||_1 + b sum_g w_g ||x_g||), for group penalties.
        group: index (i, j) of SHAPE -> a name for its group.
        weight: group's name and number of entries -> its weight.
        shape: of the parameter.
    """

    name: str
    make: Callable[[Any], Penalty]
    zoomed: Callable[[float, float], Penalty]
    entry: Callable[[Any, Any], Any] | None = None
    shares: tuple[float, float] = (0.0, 1.0)
    group: Callable[[int, int], Any] | None = None
    weight: Callable[[Any, int], float] = field(default=lambda name, size: 1.0)
    shape: tuple[int, ...] = SHAPE

    def labels(self) -> np.ndarray:
        """A number for each entry of a flattened parameter; equal numbers, one group."""
        if self.group is None:
            return np.arange(SHAPE[0] * SHAPE[1])
        names = [self.group(i, j) for i in range(SHAPE[0]) for j in range(SHAPE[1])]
        return np.array([names.index(name) for name in names])

    def weights(self) -> dict[int, float]:
        """The weight of each number of ``labels``."""
        assert self.group is not None
        labels = self.labels()
        found = {}
        for n in np.unique(labels):
            name = self.group(*divmod(int(n), SHAPE[1]))
            found[int(n)] = self.weight(name, int((labels == n).sum()))
        return found


def _separable(name: str, make: Any, zoomed: Any, entry: Any) -> Row:
    return Row(name, make, zoomed, entry=entry)


def _mcp(gamma: float) -> Callable[[Any, Any], Any]:
    return lambda u, lam: lam * u - u * u / (2 * gamma) if u <= gamma * lam else gamma * lam * lam / 2


def _scad(a: float) -> Callable[[Any, Any], Any]:
    def entry(u: Any, lam: Any) -> Any:
        if u <= lam:
            return lam * u
        if u <= a * lam:
            return (2 * a * lam * u - u * u - lam * lam) / (2 * (a - 1))
        return lam * lam * (a + 1) / 2

    return entry


def _twin(u: Any, lam: Any) -> Any:
    return lam * (u * u / (2 * 0.5) if u <= 0.5 else u - 0.25) + 0.2 * u * u


def _grouped(name: str, groups: Any, group: Any, shape: Any = SHAPE, **more: Any) -> Row:
    weights, ratio, weight = more.get("weights"), more.get("ratio"), more.get("weight")

    def make(lam: Any) -> Penalty:
        if ratio is None:
            return GroupL1(lam, groups, weights)
        return SparseGroupL1(lam, groups, weights, l1_ratio=ratio)

    shares = (0.0, 1.0) if ratio is None else (ratio, 1 - ratio)
    told = {} if weight is None else {"weight": weight}
    return Row(name, make, lambda lam, k: make(k * lam), shares=shares, group=group, shape=shape, **told)


def _root(name: Any, size: int) -> float:
    return float(np.sqrt(size))


_EACH = {0: 0.5, 3: 2.0, 7: 0.0}

SEPARABLE = [
    _separable("L1", L1, lambda lam, k: L1(k * lam), lambda u, lam: lam * u),
    _separable(
        "elastic net",
        lambda lam: ElasticNet(lam, 0.3 * lam),
        lambda lam, k: ElasticNet(k * lam, 0.3 * lam),
        lambda u, lam: lam * u + 0.3 * lam * u * u,
    ),
    _separable(
        "elastic net's twin",
        lambda lam: ElasticNet(lam, 0.2, 0.5),
        lambda lam, k: ElasticNet(k * lam, 0.2, 0.5 * k),
        _twin,
    ),
    _separable("MCP", MCP, lambda lam, k: MCP(k * lam), _mcp(3.0)),
    _separable("MCP 0.4", lambda lam: MCP(lam, 0.4), lambda lam, k: MCP(k * lam, 0.4), _mcp(0.4)),
    _separable("SCAD", SCAD, lambda lam, k: SCAD(k * lam), _scad(3.7)),
    _separable("SCAD 1.5", lambda lam: SCAD(lam, 1.5), lambda lam, k: SCAD(k * lam, 1.5), _scad(1.5)),
    _separable("L0", L0, lambda lam, k: L0(k * k * lam), lambda u, lam: lam if u > 0 else 0 * lam),
    _separable(
        "log-sum",
        lambda lam: LogSum(lam, 0.5),
        lambda lam, k: LogSum(k * k * lam, 0.5 * k),
        lambda u, lam: lam * log(1 + u / 0.5),
    ),
]
GROUPED = [
    _grouped("rows", "rows", lambda i, j: i),
    _grouped("columns, sqrt", "columns", lambda i, j: j, weights="sqrt", weight=_root),
    _grouped("filters", "filters", lambda i, j: i, shape=(4, 3, 2)),
    _grouped("channels", "columns", lambda i, j: j // 2, shape=(4, 3, 2)),
    _grouped("heads", ("heads", 2), lambda i, j: i // 2),
    _grouped("blocks", 2, lambda i, j: (i, j // 2)),
    _grouped("labels", LABELS, lambda i, j: (i, LABELS[j])),
    _grouped(
        "labels, weights",
        LABELS,
        lambda i, j: (i, LABELS[j]),
        weights=[0.5, 2.0, 0.0],
        weight=lambda name, size: _EACH[name[1]],
    ),
    _grouped("sparse rows", "rows", lambda i, j: i, ratio=0.5, weights="sqrt", weight=_root),
    _grouped("sparse labels", LABELS, lambda i, j: (i, LABELS[j]), ratio=0.2),
    _grouped("sparse, all L1", "rows", lambda i, j: i, ratio=1.0),
]
ROWS = SEPARABLE + GROUPED
CONVEX = [row for row in ROWS if row.make(1.0).convex]
