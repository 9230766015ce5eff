"""scikit-learn's handwritten digits: real images that need no file and no network."""

from __future__ import annotations

import numpy as np

from nonsmooth.datasets._images import Images, every

__all__ = ["digits_images"]


def digits_images() -> Images:
    """The 1,797 handwritten digits of scikit-learn, 1x8x8: 1,437 to train on, 360 to test on.

    The split is fixed and stratified: of the images sorted by class, every fifth is a test image. The
    grey values 0 to 16 of the data become 0 to 255.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (its test set).

    >>> digits = digits_images()
    >>> digits.train.shape, digits.test.shape
    ((1437, 1, 8, 8), (360, 1, 8, 8))
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = np.asarray(bunch.images)  # pyright: ignore
    labels = np.asarray(bunch.target, dtype=np.int64)  # pyright: ignore
    pixels = np.rint(grey * (255 / 16)).astype(np.uint8)[:, None]
    test = every(5, labels)
    return Images(
        "digits",
        pixels[~test],
        labels[~test],
        pixels[test],
        labels[test],
        tuple("0123456789"),
        "scikit-learn digits",
        "8x8 grey images, values 0 to 16 scaled to 0 to 255; sorted by class, every fifth is a test image",
    )
