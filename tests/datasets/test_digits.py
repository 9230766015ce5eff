"""The embedded digits: scikit-learn's numbers, split once and for all."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nonsmooth.datasets import check_images, digits_images
from nonsmooth.datasets._images import every

DIGITS = digits_images()


def test_every_digit_is_in_one_part_and_as_it_was():
    bunch = load_digits()
    assert (DIGITS.name, DIGITS.shape, DIGITS.classes) == ("digits", (1, 8, 8), tuple("0123456789"))
    assert DIGITS.train.dtype == DIGITS.test.dtype == np.uint8
    assert DIGITS.train_labels.dtype == DIGITS.test_labels.dtype == np.int64
    assert (len(DIGITS.train), len(DIGITS.test)) == (1437, 360)
    both = np.concatenate([DIGITS.train, DIGITS.test])[:, 0]
    labels = np.concatenate([DIGITS.train_labels, DIGITS.test_labels])
    back = np.rint(both * (16 / 255))
    assert np.abs(both - back * (255 / 16)).max() <= 0.5
    found = sorted((int(label), grey.tobytes()) for label, grey in zip(labels, back, strict=True))
    expected = sorted((int(y), x.tobytes()) for x, y in zip(bunch.images, bunch.target, strict=True))
    assert found == expected


def test_the_split_is_stratified_and_never_changes():
    whole = np.bincount(load_digits().target)
    for part, share in ((DIGITS.train_labels, 1437 / 1797), (DIGITS.test_labels, 360 / 1797)):
        assert np.abs(np.bincount(part) - share * whole).max() < 1
    # Results are kept under the name "digits": other images under it would be taken for these.
    assert (
        check_images("digits").content == "c1187c6754b36a66b32bda4c59c9f38555491756230ba905e72a2065636490e0"
    )
    again = digits_images()
    for name in ("train", "train_labels", "test", "test_labels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(DIGITS, name))


@pytest.mark.parametrize("k", [2, 5, 6, 100])
def test_one_in_k_of_each_class_is_chosen(k):
    labels = np.random.default_rng(k).integers(0, 7, 500)
    chosen = every(k, labels)
    assert chosen.sum() == -(-500 // k)
    for label in range(7):
        here = chosen[labels == label]
        assert len(here) // k <= here.sum() <= -(-len(here) // k)


def test_the_content_digest_is_of_pixels_and_labels():
    digest = hashlib.sha256()
    for array in (DIGITS.train, DIGITS.train_labels, DIGITS.test, DIGITS.test_labels):
        digest.update(repr(array.shape).encode() + array.tobytes())
    assert check_images("digits").content == digest.hexdigest()
