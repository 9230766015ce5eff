"""Data to run on."""

from nonsmooth.datasets._regression import Dataset, diabetes, read_regression, register, registered

__all__ = ["Dataset", "diabetes", "read_regression", "register", "registered"]
