"""Against skglm, where it has the penalty, at steps for which the problem of one entry is convex."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skglm.penalties
from skglm.penalties import L1_plus_L2, LogSumPenalty, MCPenalty, WeightedGroupL2, WeightedL1GroupL2

from nonsmooth.penalties import L1, MCP, SCAD, ElasticNet, GroupL1, LogSum, Penalty, SparseGroupL1

X = np.linspace(-3, 3, 61)


@pytest.mark.parametrize(
    ("ours", "theirs", "step"),
    [
        (L1(0.7), skglm.penalties.L1(0.7), 1.3),
        (ElasticNet(0.7 * 0.4, 0.7 * 0.6 / 2), L1_plus_L2(0.7, 0.4), 1.3),
        (MCP(0.7, 3.0), MCPenalty(0.7, 3.0), 1.3),
        (SCAD(0.7, 3.7), skglm.penalties.SCAD(0.7, 3.7), 1.3),
        (LogSum(0.7, 0.5), LogSumPenalty(0.7, 0.5), 1.3),
        (LogSum(0.1, 0.5), LogSumPenalty(0.1, 0.5), 1.3),
    ],
    ids=["L1", "elastic net", "MCP", "SCAD", "log-sum", "weak log-sum"],
)
def test_entries(ours: Penalty, theirs: Any, step: float) -> None:
    expected = [theirs.prox_1d(x, step, 0) for x in X]
    np.testing.assert_allclose(ours.prox(X, step), expected, rtol=1e-12, atol=1e-12)
    assert ours.value(X) == pytest.approx(theirs.value(X), rel=1e-12)
    gradient = np.linspace(-1, 2, X.size)
    distances = theirs.subdiff_distance(X, gradient, np.arange(X.size))
    assert ours.subdifferential_distance(X, gradient) == pytest.approx(np.max(distances), rel=1e-12)


def test_groups() -> None:
    """A group each: rows of three, weights of their own."""
    x, weights = np.random.default_rng(0).standard_normal((4, 3)), np.array([0.5, 1.0, 2.0, 0.1])
    pointer, entries = np.arange(0, 13, 3), np.arange(12)
    plain = WeightedGroupL2(0.7, weights, pointer, entries)
    sparse = WeightedL1GroupL2(0.7, weights, np.full(12, 0.4 / 0.6), pointer, entries)
    for ours, theirs in (
        (GroupL1(0.7, "rows", weights), plain),
        (SparseGroupL1(0.7 / 0.6, "rows", weights, l1_ratio=0.4), sparse),
    ):
        expected = [theirs.prox_1group(row.copy(), 1.3, g) for g, row in enumerate(x)]
        np.testing.assert_allclose(ours.prox(x, 1.3), expected, rtol=1e-12, atol=1e-12)
        assert ours.value(x) == pytest.approx(theirs.value(x.ravel()), rel=1e-12)
