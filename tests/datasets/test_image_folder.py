"""Folders of image files, with a split and without, and what can be wrong in them."""

import shutil

import numpy as np
import pytest

from datasets.image_files import encoded, small, write_images
from nonsmooth.datasets import find_images, read_images
from nonsmooth.errors import InputError

DATA = small()


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_images(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    return write_images(tmp_path / "a", DATA)


def test_without_a_split_one_is_made_and_said(tmp_path):
    found = read_images(write_images(tmp_path / "a", DATA, split=False))
    assert "no split on disk: sorted by class and file name, every sixth image is a test image" in found.note
    assert np.bincount(found.train_labels).tolist() == [5] * 10
    assert np.bincount(found.test_labels).tolist() == [1] * 10
    # The first of each class, in the order of the numbers in the file names.
    first = [int(np.flatnonzero(DATA.labels == k)[0]) for k in range(10)]
    np.testing.assert_array_equal(found.test, DATA.pixels[sorted(first)])
    rest = np.delete(np.arange(60), first)
    np.testing.assert_array_equal(found.train, DATA.pixels[rest])


def test_a_class_of_one_image_cannot_be_split(tmp_path):
    folder = write_images(tmp_path / "a", DATA, split=False)
    for path in sorted((folder / "deer").iterdir())[1:]:
        path.unlink()
    assert refusal(folder).startswith(f"{folder / 'deer'}: one image, and a class needs 2")


def test_a_few_images_of_two_classes_of_another_size_are_fine(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (13, 1, 5, 7), dtype=np.uint8)
    labels = np.array([0, 1, 1] * 4 + [0])
    data = DATA._replace(pixels=pixels, labels=labels)
    found = read_images(write_images(tmp_path / "a", data, split=False, classes=("b", "a")))
    assert found.classes == ("a", "b")
    assert found.shape == (1, 5, 7)
    assert found.name.startswith("images:")
    assert (len(found.train), len(found.test)) == (10, 3)


def test_the_order_is_by_number_then_class(tmp_path):
    order = [(2, "b"), (10, "a"), (10, "b"), (100, "a")]
    for value, (number, name) in enumerate(order):
        for part in ("train", "test"):
            path = tmp_path / part / name / f"x{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(np.full((1, 4, 4), value, np.uint8)))
    found = read_images(tmp_path)
    assert found.train[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert found.train_labels.tolist() == [1, 0, 1, 0]


def test_hidden_files_are_left_out_and_others_are_counted(folder):
    for name in (".DS_Store", ".hidden.png"):
        (folder / "train" / "cat" / name).write_bytes(b"x")
    (folder / ".git").mkdir()
    assert "left out" not in find_images(folder).note
    (folder / "train" / "cat" / "notes.txt").write_bytes(b"x")
    (folder / "test" / "dog" / "1.tiff").write_bytes(b"x")
    source = find_images(folder)
    assert "2 files that are not named like images are left out" in source.note
    assert len(source.read().train) == 50


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_missing_part_is_named(folder, part):
    shutil.rmtree(folder / part)
    assert refusal(folder).startswith(f"{folder / part}: no such folder; give train/ and test/")


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_in_one_part_only_is_named(folder, part):
    shutil.rmtree(folder / part / "cat")
    assert refusal(folder).startswith(f"{folder / part / 'cat'}: no such folder; each class needs one")


def test_a_class_without_images_is_named(folder):
    for path in (folder / "train" / "cat").iterdir():
        path.unlink()
    assert refusal(folder).startswith(f"{folder / 'train' / 'cat'}: no image (")


def test_parts_without_classes_are_named(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert refusal(tmp_path).startswith(f"{tmp_path}: no image in its folders")


def test_one_class_is_no_problem_to_solve(tmp_path):
    data = DATA._replace(labels=np.zeros(60, np.int64))
    assert "one class, 'airplane'; give at least two" in refusal(write_images(tmp_path / "a", data))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be decoded (no known image format)"),
        (b"text", "cannot be decoded (no known image format)"),
        (encoded(DATA.pixels[0])[:1000], "cannot be decoded"),
        (
            encoded(DATA.pixels[0, :, :, :16]),
            "32 x 16 pixels, the images before it 32 x 32",
        ),
    ],
)
def test_a_bad_image_is_named(folder, content, message):
    path = folder / "test" / "frog" / "9.png"
    path.write_bytes(content)
    assert refusal(folder).startswith(f"{path}: {message}")


def test_sixteen_bits_are_refused(folder):
    from PIL import Image

    path = folder / "train" / "frog" / "999.png"
    Image.fromarray(np.zeros((32, 32), np.uint16)).save(path)
    assert refusal(folder).startswith(f"{path}: its pixels are of type 'I;16'; give 8-bit grey or RGB images")


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "LA", "CMYK"])
def test_other_ways_to_store_a_colour_are_converted(tmp_path, mode):
    from PIL import Image

    for part in ("train", "test"):
        for k, name in enumerate("ab"):
            path = tmp_path / part / name / ("x.jpg" if mode == "CMYK" else "x.png")
            path.parent.mkdir(parents=True)
            Image.new("RGB", (4, 4), (255 * k,) * 3).convert(mode).save(path)
    found = read_images(tmp_path)
    assert found.shape == (1 if mode in ("1", "LA") else 3, 4, 4)
    np.testing.assert_allclose(found.train[0], 0, atol=2)
    np.testing.assert_allclose(found.train[1], 255, atol=2)
