"""Data to run on: regression data for the LASSO, labelled images for networks.

Both are named by strings that a run spec can carry. ``register`` makes data known to a process;
``registered`` (regression) and ``images`` give them by their name.
"""

from nonsmooth.datasets._check import ImageCheck, check_images
from nonsmooth.datasets._digits import digits_images
from nonsmooth.datasets._fetch import fetch_cifar10
from nonsmooth.datasets._find import find_images, read_images
from nonsmooth.datasets._images import Images
from nonsmooth.datasets._registry import images, register, registered
from nonsmooth.datasets._regression import Dataset, diabetes, read_regression
from nonsmooth.datasets._source import ImageSource

__all__ = [
    "Dataset",
    "ImageCheck",
    "ImageSource",
    "Images",
    "check_images",
    "diabetes",
    "digits_images",
    "fetch_cifar10",
    "find_images",
    "images",
    "read_images",
    "read_regression",
    "register",
    "registered",
]
