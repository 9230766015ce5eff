"""The real CIFAR-10 of the development folder, against what its own papers say of it."""

import hashlib
import time

import numpy as np
import pytest

from datasets.image_files import BATCHES, CLASSES
from nonsmooth.datasets import check_images, find_images, images, register


@pytest.fixture(scope="module")
def source(cifar10_folder):
    return find_images(cifar10_folder)


@pytest.fixture(scope="module")
def read(source):
    """The images, and the seconds of a processor that reading them took."""
    register(source)
    start = time.process_time()
    return images(source.name), time.process_time() - start


@pytest.fixture(scope="module")
def found(read):
    return read[0]


@pytest.fixture(scope="module")
def checked(source):
    return check_images(source.path)


def test_the_files_are_those_that_were_meant(cifar10_folder):
    for line in (cifar10_folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((cifar10_folder / name).read_bytes()).hexdigest() == digest


def test_the_source_is_recognised_without_decoding(source):
    assert source.format == "Hugging Face parquet"
    # Committed results carry this name.
    assert source.name == "cifar10:771652d47ceb7a25"
    assert source.note == "a JPEG re-encoding; pixel values differ slightly from the official archive"


def test_shape_counts_and_statistics(found):
    assert found.train.shape == (50_000, 3, 32, 32)
    assert found.test.shape == (10_000, 3, 32, 32)
    assert found.classes == CLASSES
    assert np.bincount(found.train_labels).tolist() == [5000] * 10
    assert np.bincount(found.test_labels).tolist() == [1000] * 10
    values = found.train.reshape(50_000, 3, -1)
    np.testing.assert_allclose(values.mean(axis=(0, 2)), (125.3, 122.9, 113.9), atol=0.05)
    deviation = np.sqrt([np.mean((values[:, c] / 1.0 - values[:, c].mean()) ** 2) for c in range(3)])
    np.testing.assert_allclose(deviation, (62.5, 61.9, 66.5), atol=0.05)


def test_the_labels_are_of_the_images(cifar10_folder, found):
    """The path beside each image names its class: an independent witness of rows and labels."""
    import pyarrow.parquet as pq

    table = pq.read_table(cifar10_folder / "test-00000-of-00001.parquet")
    paths = [row["path"] for row in table.column("img").to_pylist()]
    assert [path.split("/")[1] for path in paths] == [CLASSES[label] for label in found.test_labels]


def test_pixels_are_those_of_the_decoder(cifar10_folder, found):
    import io

    import pyarrow.parquet as pq
    from PIL import Image

    rows = pq.read_table(cifar10_folder / "train-00000-of-00001.parquet").column("img")
    for k in (0, 1, 4999, 31_415, 49_999):
        with Image.open(io.BytesIO(rows[k].as_py()["bytes"])) as image:
            np.testing.assert_array_equal(found.train[k], np.asarray(image).transpose(2, 0, 1))


def test_reading_takes_seconds(read):
    assert read[1] < 20  # 4 to 6 on two shared cores


def test_a_check_says_that_it_is_not_the_official_archive(checked, found):
    assert checked.official == "no"
    assert "the largest differences are 0.038 and 0.46" in checked.comparison
    assert checked.name == found.name


def test_the_same_pixels_in_the_binary_format_are_whole_and_the_same(tmp_path, checked, found):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    pixels = np.concatenate([found.train, found.test]).reshape(6, 10_000, 3072)
    labels = np.concatenate([found.train_labels, found.test_labels]).reshape(6, 10_000, 1)
    for name, x, y in zip(BATCHES, pixels, labels, strict=True):
        (folder / f"{name}.bin").write_bytes(np.hstack([y.astype(np.uint8), x]).tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(CLASSES))
    binary = check_images(folder)
    assert binary.note == ""
    assert binary.content == checked.content
    assert binary.name != checked.name
