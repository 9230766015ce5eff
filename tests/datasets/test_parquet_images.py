"""Parquet files with rows missing, mislabelled or undecodable: the row and the file are named."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets.image_files import CLASSES, encoded, features, small, write_parquet, write_parquet_file
from nonsmooth.datasets import find_images, read_images
from nonsmooth.errors import InputError

DATA = small()
PNG = [encoded(pixels) for pixels in DATA.pixels]
LABELS = DATA.labels.tolist()


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_images(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    return write_parquet(tmp_path / "a", DATA)


@pytest.fixture
def train(folder):
    """The second training shard, rows 25 to 49 of the data."""
    return folder / "train-00001-of-00002.parquet"


@pytest.mark.parametrize("name", ["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"])
def test_a_missing_shard_is_named(folder, name):
    (folder / f"{name}.parquet").unlink()
    said = refusal(folder)
    assert name in said or (name.startswith("test") and f"{folder}/test-*.parquet: no such file" in said)


def test_one_split_alone_is_refused(folder):
    for path in folder.glob("train*"):
        path.unlink()
    assert f"{folder}/train-*.parquet: no such file" in refusal(folder)


def test_shards_of_two_versions_are_refused(folder, train):
    train.rename(folder / "train-00001-of-00003.parquet")
    assert "shards of several versions of train lie together" in refusal(folder)


def test_a_shard_twice_is_refused(folder, train):
    (folder / "train-00001-of-00002-0123456789abcdef.parquet").write_bytes(train.read_bytes())
    assert "3 shards of train, 2 by their names" in refusal(folder)


def test_shards_with_a_digest_in_their_name_are_read(folder):
    for path in list(folder.iterdir()):
        path.rename(folder / f"{path.stem}-0123456789abcdef.parquet")
    np.testing.assert_array_equal(read_images(folder).train, DATA.pixels[:50])


def test_files_that_are_no_shards_are_left_alone(folder):
    (folder / "training-notes.parquet").write_bytes(b"x")
    (folder / "train.csv").write_bytes(b"x")
    assert len(read_images(folder).train) == 50


def test_two_folders_of_parquet_files_are_named(tmp_path):
    for name in ("plain", "other"):
        write_parquet(tmp_path / name, DATA)
    assert "parquet files are in each of the folders other, plain; give one of them" in refusal(tmp_path)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_named(train, share):
    whole = train.read_bytes()
    train.write_bytes(whole[: int(share * len(whole))])
    assert refusal(train.parent).startswith(f"{train}: no readable parquet file (truncated or damaged)")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (10, "the label is 10, outside 0 to 9"),
        (-1, "the label is -1, outside 0 to 9"),
        (None, "has no label"),
    ],
)
def test_a_bad_label_is_named(train, label, message):
    write_parquet_file(train, PNG[25:50], [*LABELS[25:28], label, *LABELS[29:50]])
    assert refusal(train.parent).startswith(f"{train}, row 3: {message}")


def test_a_label_that_leaves_a_gap_is_named_without_class_names(tmp_path):
    folder = write_parquet(tmp_path / "a", DATA, names=())
    train = folder / "train-00000-of-00002.parquet"
    write_parquet_file(train, PNG[:25], [57, *LABELS[1:25]], names=())
    assert refusal(folder).startswith(f"{train}, row 0: the label is 57, outside 0 to 10")


def test_a_test_label_that_was_never_trained_on_is_named(tmp_path):
    folder = write_parquet(tmp_path / "a", DATA, names=())
    test = folder / "test-00000-of-00001.parquet"
    write_parquet_file(test, PNG[50:], [*LABELS[50:59], 10], names=())
    assert refusal(folder).startswith(f"{test}, row 9: the label is 10, outside 0 to 9")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "has no image bytes"),
        (b"", "cannot be decoded (no known image format)"),
        (b"no image", "cannot be decoded (no known image format)"),
        (PNG[0][:60], "cannot be decoded"),
        (PNG[0][:-40], "cannot be decoded"),
        (PNG[0][:900] + b"\0\1\2" + PNG[0][903:], "cannot be decoded"),
        (encoded(DATA.pixels[0], "JPEG")[:500], "cannot be decoded"),
        (encoded(DATA.pixels[0, :, :31]), "31 x 32 pixels, the images before it 32 x 32"),
    ],
)
def test_a_bad_image_is_named(train, data, message):
    write_parquet_file(train, [*PNG[25:31], data, *PNG[32:50]], LABELS[25:50])
    assert refusal(train.parent).startswith(f"{train}, row 6: {message}")


def test_the_first_image_may_be_bad_as_well(tmp_path):
    folder = write_parquet(tmp_path / "a", DATA, names=())
    train = folder / "train-00000-of-00002.parquet"
    write_parquet_file(train, [b"no image", *PNG[1:25]], LABELS[:25], names=())
    assert refusal(folder).startswith(f"{train}, row 0: cannot be decoded")


def test_an_image_that_claims_to_be_huge_is_named(tmp_path):
    header = bytearray(PNG[0])
    header[16:24] = b"\0\0\x30\0" * 2  # 12288 x 12288
    folder = write_parquet(tmp_path / "a", DATA)
    write_parquet_file(folder / "train-00000-of-00002.parquet", [bytes(header), *PNG[1:25]], LABELS[:25])
    assert "row 0: " in refusal(folder)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"x": [1]}), "the columns are x; needs img or image, and label"),
        (pa.table({"img": [b"x"], "label": [1]}), "column img is binary; needs a struct with bytes"),
        (
            pa.table({"img": [{"path": "x"}], "label": [1]}),
            r"column img is struct<path: string>; needs a struct with bytes",
        ),
        (pa.table({"img": [{"bytes": "x"}], "label": [1]}), "column img is struct<bytes: string>; needs"),
        (
            pa.table({"img": [{"bytes": b"x"}], "label": ["cat"]}),
            "column label is string; needs whole",
        ),
        (pa.table({"img": [{"bytes": b"x"}], "label": [0.5]}), "column label is double; needs whole"),
    ],
)
def test_other_columns_are_named(train, table, message):
    pq.write_table(table, train)
    assert refusal(train.parent).startswith(f"{train}: {message}")


def test_an_empty_split_is_named(folder):
    test = folder / "test-00000-of-00001.parquet"
    write_parquet_file(test, [], [])
    assert refusal(folder).startswith(f"{test}: holds no image")


def test_an_empty_shard_among_others_is_none_of_that(tmp_path):
    for names in (CLASSES, ()):
        folder = write_parquet(tmp_path / f"a{len(names)}", DATA, shards=1, names=names)
        (folder / "train-00000-of-00001.parquet").rename(folder / "train-00001-of-00002.parquet")
        write_parquet_file(folder / "train-00000-of-00002.parquet", [], [], names=names)
        np.testing.assert_array_equal(read_images(folder).train, DATA.pixels[:50])


def test_class_names_that_differ_between_files_are_refused(folder, train):
    write_parquet_file(train, PNG[25:50], LABELS[25:50], names=CLASSES[::-1])
    assert f"{train}: has other class names than " in refusal(folder)


def test_without_class_names_a_part_of_cifar10_is_not_taken_for_it(tmp_path):
    found = read_images(write_parquet(tmp_path / "a", DATA, names=()))
    assert found.name.startswith("images:")
    assert found.classes == tuple("0123456789")


def test_metadata_of_another_kind_is_no_trouble(folder):
    for metadata in ({b"huggingface": b"{"}, {b"huggingface": b'{"info": 3}'}, {b"x": b"y"}, features([])):
        for path in folder.iterdir():
            pq.write_table(pq.read_table(path).replace_schema_metadata(metadata), path)
        assert read_images(folder).classes == tuple("0123456789")


def test_grey_images_have_one_channel_and_three_among_coloured_ones(tmp_path):
    grey = DATA.pixels[:, :1]
    only = read_images(write_parquet(tmp_path / "grey", DATA._replace(pixels=grey)))
    np.testing.assert_array_equal(only.train, grey[:50])
    folder = write_parquet(tmp_path / "mixed", DATA)
    mixed = [encoded(grey[0]), *PNG[51:]]
    write_parquet_file(folder / "test-00000-of-00001.parquet", mixed, LABELS[50:])
    found = read_images(folder)
    np.testing.assert_array_equal(found.test[0], np.repeat(grey[0], 3, axis=0))
    np.testing.assert_array_equal(found.test[1:], DATA.pixels[51:])
    assert find_images(folder).name.startswith("cifar10:")


def test_random_damage_is_refused_or_leaves_images(folder, train):
    rng = np.random.default_rng(0)
    whole = train.read_bytes()
    refused = []
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(len(whole), size=5):
            damaged[at] = rng.integers(256)
        train.write_bytes(damaged)
        try:
            assert read_images(folder).train.shape == (50, 3, 32, 32)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all(str(train) in each and "\n" not in each for each in refused)
