"""Images on the device against a conversion of one image at a time."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nonsmooth.datasets import digits_images
from nonsmooth.errors import InputError
from nonsmooth.training import Resident
from nonsmooth.training._resident import balanced


def _images(count: int = 30, channels: int = 3, size: int = 8, classes: int = 4) -> SimpleNamespace:
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (count, channels, size, size), generator=random, dtype=torch.uint8)
    y = torch.randint(0, classes, (count,), generator=random)
    return SimpleNamespace(name="toy", train=x[:20], train_labels=y[:20], test=x[20:], test_labels=y[20:])


def test_half_is_what_the_listing_does_to_each_image() -> None:
    images = _images()
    data = Resident.of(images, normalise="half")
    for image, found in zip(images.train, data.train, strict=True):
        assert torch.equal((image.float().div(255) - 0.5) / 0.5, found)
    assert data.train.is_contiguous(memory_format=torch.channels_last)
    assert data.test.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(data.train_labels, images.train_labels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_standard_uses_the_training_images_moments(dtype: torch.dtype) -> None:
    images = _images()
    data = Resident.of(images, dtype=dtype, count=12)
    channels = data.train.double().transpose(0, 1).flatten(1)
    assert channels.mean(1).abs().max() < (1e-12 if dtype == torch.float64 else 1e-6)
    assert (channels.std(1, correction=0) - 1).abs().max() < (1e-12 if dtype == torch.float64 else 1e-6)
    chosen = images.train[balanced(images.train_labels, 12, "count")].double() / 255
    mean, deviation = chosen.mean((0, 2, 3)), chosen.std((0, 2, 3), correction=0)
    expected = (images.test.double() / 255 - mean[:, None, None]) / deviation[:, None, None]
    torch.testing.assert_close(data.test, expected.to(dtype))


def test_shrinking_takes_means_of_blocks() -> None:
    images = _images()
    data = Resident.of(images, normalise="half", shrink=2, dtype=torch.float64)
    blocks = torch.nn.functional.avg_pool2d(images.test.double() / 255, 2)
    torch.testing.assert_close(data.test, (blocks - 0.5) / 0.5, rtol=0, atol=1e-14)


def test_a_constant_channel_becomes_zero() -> None:
    images = _images()
    images.train[:, 1] = 37
    data = Resident.of(images, dtype=torch.float64)
    assert data.train[:, 1].abs().max() < 1e-12


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=30).flatmap(
        lambda labels: st.tuples(st.just(labels), st.integers(0, len(labels)))
    )
)
def test_the_choice_is_balanced_and_the_first(case: tuple[list[int], int]) -> None:
    labels, count = case
    chosen = balanced(torch.tensor(labels), count, "count").tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) == count
    taken = {label: [k for k in chosen if labels[k] == label] for label in set(labels)}
    for label, mine in taken.items():  # the first ones of their class
        assert mine == [k for k, each in enumerate(labels) if each == label][: len(mine)]
    for label, mine in taken.items():  # a class has fewer by more than one only where it has no more
        if len(mine) < max(map(len, taken.values())) - 1:
            assert len(mine) == labels.count(label)


def test_the_digits_as_they_come() -> None:
    images = digits_images()
    data = Resident.of(images, count=100, test_count=50)
    assert data.train.shape == (100, 1, 8, 8)
    assert torch.bincount(data.train_labels).tolist() == [10] * 10
    assert torch.bincount(data.test_labels).tolist() == [5] * 10
    assert np.array_equal(images.train[0], digits_images().train[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 21}, "whole number from 0 to 20"),
        ({"count": 0}, "at least 1"),
        ({"test_count": -1}, "whole number from 0 to 10"),
        ({"normalise": "none"}, "'standard' or 'half'"),
        ({"shrink": 3}, "does not divide"),
        ({"shrink": 0}, "whole number >= 1"),
        ({"dtype": torch.int32}, "float32, float64 or bfloat16"),
        ({"device": "abacus"}, r"device = 'abacus' cannot be used here \("),
    ],
)
def test_options_out_of_range_are_refused(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Resident.of(_images(), **options)


def test_other_images_are_refused() -> None:
    images = _images()
    images.test = images.test.float()
    with pytest.raises(InputError, match="give uint8 images"):
        Resident.of(images)
    images = _images()
    images.train_labels = images.train_labels[:-1]
    with pytest.raises(InputError, match=r"give int64 of shape \(20,\)"):
        Resident.of(images)


def test_tensors_that_do_not_go_together_are_refused() -> None:
    x, y = torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(InputError, match="one label for each"):
        Resident(x, y[:3], x, y)
    with pytest.raises(InputError, match="floating-point tensors of one type"):
        Resident(x, y, x.double(), y)
    with pytest.raises(InputError, match="train is empty"):
        Resident(x[:0], y[:0], x, y)
    with pytest.raises(InputError, match=r"train_labels is a list; give a torch\.Tensor"):
        Resident(x, [0, 1, 0, 1], x, y)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="images of type int have no name, train"):
        Resident.of(5)
