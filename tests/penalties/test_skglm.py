"""Against skglm's proximal operators where it has them; its steps stay where the scalar problem is convex."""

from __future__ import annotations

import numpy as np
import pytest
from skglm.penalties import SCAD as TheirSCAD
from skglm.penalties import L1 as TheirL1
from skglm.penalties import L1_plus_L2, LogSumPenalty, MCPenalty, WeightedGroupL2

from nonsmooth.penalties import L1, MCP, SCAD, ElasticNet, GroupL1, LogSum, Penalty

X = np.linspace(-3, 3, 301)

PAIRS = {
    "L1": (L1(0.7), TheirL1(0.7)),
    "elastic net": (ElasticNet(0.7 * 0.4, 0.7 * 0.6 / 2), L1_plus_L2(0.7, 0.4)),
    "MCP": (MCP(0.7, 3.0), MCPenalty(0.7, 3.0)),
    "SCAD": (SCAD(0.7, 3.7), TheirSCAD(0.7, 3.7)),
    "log-sum": (LogSum(0.7, 0.5), LogSumPenalty(0.7, 0.5)),
}
