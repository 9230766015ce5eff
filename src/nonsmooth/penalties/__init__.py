"""Non-smooth terms: value, proximal operator, subdifferential, and the strength where all is zero."""

from nonsmooth.penalties._elastic_net import L1, ElasticNet

__all__ = ["L1", "ElasticNet"]
