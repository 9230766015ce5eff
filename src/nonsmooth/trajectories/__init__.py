"""A method run on an objective: many seeds, step sizes and strengths at once, recorded cheaply."""

from nonsmooth.trajectories._minimize import minimize
from nonsmooth.trajectories._run import CHANNELS, Record, Run

__all__ = ["CHANNELS", "Record", "Run", "minimize"]
