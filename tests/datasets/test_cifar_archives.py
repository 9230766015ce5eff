"""The official archives of CIFAR-10, damaged in the ways that files are."""

import io
import pickle
import tarfile

import numpy as np
import pytest

from datasets.image_files import (
    BATCHES,
    CLASSES,
    batch_content,
    dumps_like_python_2,
    pack,
    small,
    write_binary,
    write_python,
)
from nonsmooth.datasets import find_images, read_images
from nonsmooth.errors import InputError

DATA = small()


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_images(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def python(tmp_path):
    return write_python(tmp_path / "cifar-10-batches-py", DATA)


@pytest.fixture
def binary(tmp_path):
    return write_binary(tmp_path / "cifar-10-batches-bin", DATA)


@pytest.mark.parametrize("name", [*BATCHES, "batches.meta"])
def test_a_missing_file_is_named(python, tmp_path, name):
    (python / name).unlink()
    assert refusal(python).startswith(f"{python / name}: cannot be read (No such file or directory)")
    archive = pack(python, tmp_path / "a.tar.gz")
    assert refusal(archive).startswith(f"{archive}: holds no file cifar-10-batches-py/{name}")


def test_a_missing_binary_file_is_named(binary):
    (binary / "data_batch_4.bin").unlink()
    assert str(binary / "data_batch_4.bin") in refusal(binary)


@pytest.mark.parametrize("share", [0, 0.3, 0.999])
def test_a_truncated_batch_is_named(python, binary, share):
    for path in (python / "data_batch_3", binary / "data_batch_3.bin"):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert refusal(path.parent).startswith(f"{path}: ")


def test_a_batch_cut_between_two_images_is_named(python, binary):
    path = binary / "test_batch.bin"
    path.write_bytes(path.read_bytes()[: 7 * 3073])
    assert refusal(binary).startswith(f"{path}: holds 7 images, the batches before it 10 each")
    content = batch_content(DATA, 1)
    content[b"data"], content[b"labels"] = content[b"data"][:7], content[b"labels"][:7]
    (python / "data_batch_2").write_bytes(dumps_like_python_2(content))
    assert "data_batch_2: holds 7 images, the batches before it 10 each" in refusal(python)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_truncated_archive_is_named(python, tmp_path, cut, mode):
    archive = pack(python, tmp_path / "a.tar", mode)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(cut * len(whole))])
    assert refusal(archive).startswith(f"{archive}: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"labels": [0] * 9}, "holds 10 images and 9 labels"),
        ({b"labels": [0] * 9 + [10]}, "the label of image 9 is 10, outside 0 to 9"),
        ({b"labels": [0, -1] + [0] * 8}, "the label of image 1 is -1, outside 0 to 9"),
        ({b"labels": [0.5] * 10}, "labels is no list of whole numbers"),
        ({b"labels": [True] * 10}, "labels is no list of whole numbers"),
        ({b"labels": [2**70] * 10}, "labels is no list of whole numbers"),
        ({b"labels": b"0123456789"}, "labels is no list of whole numbers"),
        ({b"labels": np.zeros((10, 1), np.int64)}, "labels is no list of whole numbers"),
        ({b"labels": None}, "not data and labels"),
        ({b"data": None}, "not data and labels"),
        ({b"data": np.zeros((10, 3072), np.int64)}, r"data is int64 \(10, 3072\), not uint8 \(n, 3072\)"),
        ({b"data": np.zeros((10, 3071), np.uint8)}, r"data is uint8 \(10, 3071\)"),
        ({b"data": np.zeros((10, 32, 32, 3), np.uint8)}, "data is uint8"),
        ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, "holds no image"),
        ({b"data": [[0] * 3072] * 10}, "data is list"),
        ({b"data": np.array([None] * 10)}, "the pickle asks for an array of type 'O8'"),
        ({b"data": np.zeros((10, 3072), ">i8")}, "the pickle asks for a big-endian array"),
    ],
)
def test_a_bad_batch_is_named(python, change, message):
    content = {**batch_content(DATA, 0), **change}
    content = {key: value for key, value in content.items() if value is not None}
    (python / "data_batch_1").write_bytes(dumps_like_python_2(content))
    with pytest.raises(InputError, match=rf"data_batch_1: {message}|data_batch_1: holds .*{message}"):
        find_images(python)


def test_labels_may_be_an_array(python):
    content = batch_content(DATA, 0)
    content[b"labels"] = np.array(content[b"labels"])
    (python / "data_batch_1").write_bytes(dumps_like_python_2(content))
    assert read_images(python).train_labels[:10].tolist() == DATA.labels[:10].tolist()


def test_a_label_byte_out_of_range_is_named(binary):
    path = binary / "data_batch_5.bin"
    whole = bytearray(path.read_bytes())
    whole[3 * 3073] = 77
    path.write_bytes(whole)
    assert f"{path}: the label of image 3 is 77, outside 0 to 9" in refusal(binary)


@pytest.mark.parametrize("content", [[1], "text", 3, None])
def test_a_batch_that_is_no_dictionary_is_named(python, content):
    (python / "test_batch").write_bytes(pickle.dumps(content))
    assert "test_batch: holds a " in refusal(python)


@pytest.mark.parametrize("names", [[b"apple", b"pear"], None, "cat", list(reversed(CLASSES))])
def test_other_class_names_are_refused(python, names):
    (python / "batches.meta").write_bytes(dumps_like_python_2({b"label_names": names}))
    assert "batches.meta: the classes are " in refusal(python)
    assert "not those of CIFAR-10 (airplane, " in refusal(python)


def test_other_class_names_in_a_binary_archive_are_refused(binary):
    (binary / "batches.meta.txt").write_text("apple\npear\n")
    assert "batches.meta.txt: the classes are apple, pear, not those of CIFAR-10" in refusal(binary)


def test_cifar100_in_the_place_of_a_batch_is_said(python):
    content = {b"data": np.zeros((10, 3072), np.uint8), b"fine_labels": [0] * 10}
    (python / "data_batch_1").write_bytes(dumps_like_python_2(content))
    assert "holds data, fine_labels (this is CIFAR-100), not data and labels" in refusal(python)


def member(archive, name, data, **how):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in how.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize(("make", "suffix"), [(write_python, "py"), (write_binary, "bin")])
def test_a_compressed_archive_is_held_against_its_checksum(tmp_path, make, suffix, mode):
    """A pixel may have any value, so a byte that flips shows in the checksum alone, which comes last."""
    folder = make(tmp_path / f"cifar-10-batches-{suffix}", DATA)
    archive = pack(folder, tmp_path / "a.tar.gz", mode)
    whole = archive.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    for damaged in (flipped, whole[:-9], whole[: len(whole) // 2]):
        archive.write_bytes(damaged)
        assert "a.tar.gz: cannot be read" in refusal(archive)


def test_odd_members_are_neither_read_nor_written(python, tmp_path):
    inside = tmp_path / "work" / "a.tar"
    inside.parent.mkdir()
    with tarfile.open(inside, "w") as archive:
        member(archive, "cifar-10-batches-py/../data_batch_1", b"bad")
        member(archive, "../data_batch_1", b"bad")
        member(archive, "/tmp/nonsmooth/data_batch_1", b"bad")
        member(archive, "cifar-10-batches-py/x/../data_batch_1", b"bad")
        archive.add(python, arcname="./cifar-10-batches-py")
    before = sorted(tmp_path.rglob("*"))
    np.testing.assert_array_equal(read_images(inside).train, DATA.pixels[:50])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_member_that_is_no_file_does_not_count(python, tmp_path):
    (python / "data_batch_2").unlink()
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE):
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w") as archive:
            archive.add(python, arcname=python.name)
            member(archive, f"{python.name}/data_batch_2", b"", type=kind, linkname="data_batch_1")
        assert "cifar-10-batches-py/data_batch_2" in refusal(path)


def test_a_member_that_is_there_twice_is_named(python, tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(python, arcname=python.name)
        member(archive, f"{python.name}/data_batch_2", b"other")
    assert "holds cifar-10-batches-py/data_batch_2 twice" in refusal(path)


def test_a_member_that_claims_too_much_is_not_read(python, tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(f"{python.name}/data_batch_1")
        info.size = 10**9
        archive.fileobj.write(info.tobuf())
    assert "cifar-10-batches-py/data_batch_1 has 1000000000 bytes, too many" in refusal(path)


@pytest.mark.parametrize(("make", "suffix"), [(write_python, "py"), (write_binary, "bin")])
def test_random_damage_is_refused_or_leaves_images(tmp_path, make, suffix):
    """No byte that flips leads to anything but one line: not to a traceback, not to another type."""
    rng = np.random.default_rng(0)
    folder = make(tmp_path / f"cifar-10-batches-{suffix}", DATA)
    archive = pack(folder, tmp_path / "a.tar", "w")
    whole = archive.read_bytes()
    refused = []
    for _ in range(60):
        damaged = bytearray(whole)
        # Pixels are most of the bytes and any value of them is a pixel: aim at the rest.
        headers = [at for at in range(len(whole)) if at % 512 < 200 and whole[at]]
        for at in rng.choice(headers, 20):
            damaged[at] = rng.integers(256)
        archive.write_bytes(damaged)
        try:
            found = read_images(archive)
        except InputError as error:
            refused.append(str(error))
        else:
            assert found.train.shape[1:] == (3, 32, 32)
            assert found.train_labels.max() < 10
    assert len(refused) > 10
    assert not any("\n" in each for each in refused)
