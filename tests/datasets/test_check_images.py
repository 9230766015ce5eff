"""What a check says: counts, statistics, and whether the images are the published ones."""

import hashlib

import numpy as np
import pytest

from datasets.image_files import (
    BATCHES,
    CLASSES,
    Small,
    pack,
    small,
    write_binary,
    write_images,
    write_parquet,
    write_python,
)
from nonsmooth.datasets import _check, check_images

DATA = small()


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_counts_and_statistics(tmp_path):
    found = check_images(write_parquet(tmp_path / "a", DATA))
    assert (found.train, found.test) == ((5,) * 10, (1,) * 10)
    assert found.classes == CLASSES
    assert found.shape == (3, 32, 32)
    train = DATA.pixels[:50].astype(np.float64)
    np.testing.assert_allclose(found.mean, train.mean(axis=(0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(found.std, train.std(axis=(0, 2, 3)), rtol=1e-12)
    assert found.official == "no"
    assert found.comparison == "CIFAR-10 has 5000 training and 1000 test images of each class"
    assert found.as_dict()["name"] == found.name


def test_the_content_is_the_same_in_every_format(tmp_path):
    made = (
        write_python(tmp_path / "a", DATA),
        write_binary(tmp_path / "b", DATA),
        write_parquet(tmp_path / "c", DATA),
        write_images(tmp_path / "d", DATA),
    )
    found = [check_images(path) for path in made]
    assert len({each.content for each in found}) == 1
    assert len({each.sha256 for each in found}) == 4
    other = check_images(write_python(tmp_path / "e", small(seed=1)))
    assert other.content != found[0].content


@pytest.mark.parametrize(("write", "folder"), [(write_python, "py"), (write_binary, "bin")])
def test_an_archive_with_the_published_digest_is_official(tmp_path, monkeypatch, write, folder):
    name = f"cifar-10-batches-{folder}"
    archive = pack(write(tmp_path / name, DATA), tmp_path / "a.tar.gz")
    assert check_images(archive).official == "no"
    monkeypatch.setitem(_check._ARCHIVE_MD5, name, md5(archive))
    found = check_images(archive)
    assert found.official == "yes"
    assert md5(archive) in found.comparison


def test_a_folder_whose_files_have_the_published_digests_is_official(tmp_path, monkeypatch):
    folder = write_python(tmp_path / "cifar-10-batches-py", DATA)
    for name in BATCHES:
        monkeypatch.setitem(_check._FILE_MD5, name, md5(folder / name))
    assert check_images(folder).official == "no"
    monkeypatch.setitem(_check._FILE_MD5, "batches.meta", md5(folder / "batches.meta"))
    for path in (folder, pack(folder, tmp_path / "a.tar.gz")):
        found = check_images(path)
        assert (found.official, found.comparison) == ("yes", "every file has the published MD5 digest")


def test_the_published_digests_are_those_of_cifar10s_page():
    assert _check._ARCHIVE_MD5 == {
        "cifar-10-batches-py": "c58f30108f718f92721af3b95e74349a",
        "cifar-10-batches-bin": "c32a1d4ab5d03f1284b67883e8d87530",
    }
    assert set(_check._FILE_MD5) == {*BATCHES, "batches.meta"}


def whole(mean, std):
    """60,000 images in one-colour halves: per channel half of the pixels are mean - std, half mean + std."""
    labels = np.tile(np.arange(10), 6000)
    values = np.array([np.subtract(mean, std), np.add(mean, std)]).round().astype(np.uint8)
    pixels = np.repeat(values, 512, axis=0).T.reshape(1, 3, 32, 32)
    return Small(np.repeat(pixels, 60_000, axis=0), labels)


def write_whole(folder, data):
    folder.mkdir()
    for k, name in enumerate(BATCHES):
        own = slice(10_000 * k, 10_000 * (k + 1))
        records = np.column_stack([data.labels[own].astype(np.uint8), data.pixels[own].reshape(-1, 3072)])
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(CLASSES))
    return folder


def test_statistics_decide_where_there_is_no_digest(tmp_path, monkeypatch):
    folder = write_whole(tmp_path / "a", whole((120, 130, 110), (60, 61, 62)))
    found = check_images(folder)
    assert found.note == ""
    assert (found.mean, found.std) == ((120.0, 130.0, 110.0), (60.0, 61.0, 62.0))
    assert found.official == "no"
    assert found.comparison == (
        "the official means are 125.3, 123.0, 113.9 and the standard deviations 63.0, 62.1, 66.7; "
        "the largest differences are 7 and 4.7"
    )
    monkeypatch.setattr(_check, "_MEAN", (120.00005, 130.0, 110.0))
    monkeypatch.setattr(_check, "_STD", (60.0, 61.0, 62.0))
    assert check_images(folder).official == "by statistics"
