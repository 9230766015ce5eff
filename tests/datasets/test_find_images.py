"""Every format gives the same arrays; what is no known format, or another data set, is said to be."""

import os
import pickle
import shutil

import numpy as np
import pytest

from datasets.image_files import (
    CLASSES,
    pack,
    small,
    write_binary,
    write_images,
    write_parquet,
    write_python,
)
from nonsmooth.datasets import ImageSource, find_images, images, read_images, register, registered
from nonsmooth.errors import InputError

DATA = small()


def python_folder(tmp):
    return write_python(tmp / "cifar-10-batches-py", DATA)


def binary_folder(tmp):
    return write_binary(tmp / "cifar-10-batches-bin", DATA)


def root_with_archive(tmp):
    (tmp / "root").mkdir(parents=True)
    pack(python_folder(tmp), tmp / "root" / "cifar-10-python.tar.gz")
    return tmp / "root"


FORMATS = {
    "python folder": python_folder,
    "python archive": lambda tmp: pack(python_folder(tmp), tmp / "renamed.tgz"),
    "python archive, not compressed": lambda tmp: pack(python_folder(tmp), tmp / "a.tar", "w"),
    "torchvision root": lambda tmp: python_folder(tmp).parent,
    "torchvision root, not extracted": root_with_archive,
    "binary folder": binary_folder,
    "binary archive": lambda tmp: pack(binary_folder(tmp), tmp / "cifar-10-binary.tar.gz"),
    "folder of the binary folder": lambda tmp: binary_folder(tmp).parent,
    "parquet": lambda tmp: write_parquet(tmp / "a", DATA),
    "parquet, one shard, column image": lambda tmp: write_parquet(tmp / "a", DATA, shards=1, column="image"),
    "parquet repository": lambda tmp: write_parquet(tmp / "a" / "plain_text", DATA).parent,
    "folder of images": lambda tmp: write_images(tmp / "a", DATA),
    "folder of bitmaps": lambda tmp: write_images(tmp / "a", DATA, kind="BMP"),
}


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
def test_each_format_gives_the_same_arrays(tmp_path, make):
    source = find_images(make(tmp_path))
    found = source.read()
    np.testing.assert_array_equal(found.train, DATA.pixels[:50])
    np.testing.assert_array_equal(found.train_labels, DATA.labels[:50])
    np.testing.assert_array_equal(found.test, DATA.pixels[50:])
    np.testing.assert_array_equal(found.test_labels, DATA.labels[50:])
    assert found.train.dtype == found.test.dtype == np.uint8
    assert found.train_labels.dtype == found.test_labels.dtype == np.int64
    assert found.classes == CLASSES
    assert found.shape == (3, 32, 32)
    assert (found.name, found.note) == (source.name, source.note)
    assert source.format in found.source
    assert source.name == f"cifar10:{source.sha256[:16]}"
    assert "50 of 50000" in source.note or "50 training images" in source.note
    assert "re-encoding" not in source.note
    assert source.path.is_absolute()
    read = read_images(source.path)
    np.testing.assert_array_equal(read.train, found.train)


def test_an_archive_and_its_folder_have_one_name(tmp_path):
    for make in (python_folder, binary_folder):
        folder = make(tmp_path)
        archive = pack(folder, tmp_path / "a.tar.gz")
        assert find_images(archive).name == find_images(folder).name


def test_the_name_is_of_the_content_not_of_the_place(tmp_path):
    folder = write_parquet(tmp_path / "a", DATA)
    moved = shutil.copytree(folder, tmp_path / "b")
    assert find_images(moved).name == find_images(folder).name
    other = write_parquet(tmp_path / "c", small(seed=1))
    assert find_images(other).name != find_images(folder).name
    names = {find_images(make(tmp_path / str(k))).name for k, make in enumerate(FORMATS.values())}
    assert len(names) == 6  # python, binary, two cuts into parquet files, PNG and BMP


def test_a_relative_path_and_a_home_are_resolved(tmp_path, monkeypatch):
    folder = python_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = find_images(folder)
    assert find_images("cifar-10-batches-py") == expected
    assert find_images("~/cifar-10-batches-py") == expected


def test_a_source_is_small_to_send_and_registers_by_its_name(tmp_path):
    source = find_images(python_folder(tmp_path))
    with pytest.raises(InputError, match=rf"no images named '{source.name}' .*--data-dir"):
        images(source.name)
    sent = pickle.dumps(source)
    assert len(sent) < 1000
    register(pickle.loads(sent))
    assert images(source.name) is images(source.name)
    np.testing.assert_array_equal(images(source.name).train, DATA.pixels[:50])
    with pytest.raises(InputError, match="no data named 'cifar10"):
        registered(source.name)


def test_digits_and_data_of_another_kind():
    assert images("digits").name == "digits"
    with pytest.raises(InputError, match="no images named 'diabetes'"):
        images("diabetes")


def test_files_that_change_after_they_were_named_are_noticed(tmp_path):
    folder = write_images(tmp_path / "a", DATA)
    source = find_images(folder)
    (folder / "train" / "cat").rename(folder / "aside")
    shutil.copytree(folder / "train" / "dog", folder / "train" / "cat")
    shutil.rmtree(folder / "aside")
    with pytest.raises(InputError, match="have changed since they were named"):
        source.read()


def test_a_jpeg_re_encoding_is_noticed(tmp_path):
    for made in (
        write_parquet(tmp_path / "p", DATA, kind="JPEG"),
        write_images(tmp_path / "f", DATA, kind="JPEG"),
    ):
        source = find_images(made)
        assert "a JPEG re-encoding; pixel values differ slightly from the official archive" in source.note
        found = source.read()
        assert found.note == source.note
        assert not np.array_equal(found.train, DATA.pixels[:50])
    one = tmp_path / "f" / "train" / "cat"
    one = next(iter(sorted(one.iterdir())))
    mixed = write_images(tmp_path / "m", DATA)
    shutil.copy(one, mixed / "train" / "cat" / "99.jpg")
    assert "a JPEG re-encoding (1 of 61)" in find_images(mixed).note


def test_other_classes_are_not_called_cifar10(tmp_path):
    names = tuple(f"kind {k}" for k in range(10))
    for made in (
        write_parquet(tmp_path / "p", DATA, names=names),
        write_images(tmp_path / "f", DATA, classes=names),
    ):
        source = find_images(made)
        assert source.name == f"images:{source.sha256[:16]}"
        found = source.read()
        assert found.classes == names
        np.testing.assert_array_equal(found.test, DATA.pixels[50:])


def test_cifar10s_classes_in_another_size_are_not_called_cifar10(tmp_path):
    data = DATA._replace(pixels=np.ascontiguousarray(DATA.pixels[:, :, :16, :16]))
    for made in (write_parquet(tmp_path / "p", data), write_images(tmp_path / "f", data)):
        found = read_images(made)
        assert found.name.startswith("images:")
        assert found.classes == CLASSES
        np.testing.assert_array_equal(found.train, data.pixels[:50])


def test_cifar100_is_named_as_such(tmp_path):
    meta = tmp_path / "a" / "cifar-100-python"
    meta.mkdir(parents=True)
    (meta / "train").write_bytes(b"")
    wide = write_parquet(tmp_path / "b", DATA, label="fine_label")
    archive = pack(meta, tmp_path / "cifar-100-python.tar.gz")
    for path in (meta, meta.parent, archive, wide):
        with pytest.raises(InputError, match="this is CIFAR-100"):
            find_images(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent", None, "no such file or folder"),
        ("a\0b", None, "no such file or folder"),
        ("empty", {}, "holds no images in a known format"),
        ("text", {"a.txt": b"x"}, "holds no images in a known format"),
        ("loose", {"a.png": b"x"}, "holds no images in a known format"),
        ("a.zip", b"PK\3\4", "holds no images in a known format"),
        ("one.parquet", b"PAR1", "one parquet file; give its folder"),
        ("train-00000-of-00001.parquet", b"PAR1", "one parquet file; give its folder"),
        ("cifar-10-python.tar.gz", b"", "cifar-10-python.tar.gz: cannot be read"),
        ("cifar-10-python.tar.gz", b"\x1f\x8b\x08", "cifar-10-python.tar.gz: cannot be read"),
        ("a.tar", b"x" * 2000, "a.tar: cannot be read"),
    ],
)
def test_what_is_no_data_set_is_said_to_be_none(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
        for inner, data in content.items():
            (path / inner).write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        find_images(path)
    assert "\n" not in str(caught.value)


def test_an_archive_of_something_else_is_named(tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "data_batch_1").write_bytes(b"x")
    with pytest.raises(InputError, match="an archive of 'holiday', not of CIFAR-10"):
        find_images(pack(tmp_path / "holiday", tmp_path / "a.tar.gz"))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    folder = python_folder(tmp_path)
    (folder / "data_batch_2").unlink()
    (folder / "data_batch_2").mkdir()
    with pytest.raises(InputError, match=r"data_batch_2: cannot be read \(Is a directory\)"):
        find_images(folder)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "cifar-10-python.tar.gz")
    with pytest.raises(InputError, match=r"cifar-10-python\.tar\.gz: neither a file nor a folder; give"):
        find_images(tmp_path / "cifar-10-python.tar.gz")


@pytest.mark.parametrize("path", [5, None])
def test_what_is_no_path_is_named(path):
    with pytest.raises(InputError, match=f"path is a {type(path).__name__}; give cifar-10-python"):
        read_images(path)


def test_the_first_format_of_several_in_a_folder_is_taken(tmp_path):
    write_parquet(tmp_path / "a", DATA)
    write_python(tmp_path / "a" / "cifar-10-batches-py", small(seed=1))
    source = find_images(tmp_path / "a")
    assert isinstance(source, ImageSource)
    assert source.format == "CIFAR-10 python archive"
