"""Non-smooth terms: value, proximal operator, subdifferential, and the strength where all is zero.

Each is a :class:`Penalty`. Entry by entry: ``L1`` and ``ElasticNet``, which are convex, ``MCP`` and ``SCAD``
(L1 that leaves large entries alone), ``LogSum`` and ``L0``. By groups (rows, columns, filters, heads, blocks,
any): ``GroupL1``, and ``SparseGroupL1``, which has zeros within its groups as well.
"""

from nonsmooth.penalties._elastic_net import L1, ElasticNet
from nonsmooth.penalties._group_l1 import GroupL1
from nonsmooth.penalties._l0 import L0
from nonsmooth.penalties._log_sum import LogSum
from nonsmooth.penalties._mcp import MCP
from nonsmooth.penalties._penalty import Penalty
from nonsmooth.penalties._scad import SCAD
from nonsmooth.penalties._sparse_group_l1 import SparseGroupL1

__all__ = ["L0", "L1", "MCP", "SCAD", "ElasticNet", "GroupL1", "LogSum", "Penalty", "SparseGroupL1"]
