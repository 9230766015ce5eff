"""Small data sets in the formats that people have CIFAR-10 in, all with the same pixels."""

import io
import json
import pickle
import struct
import tarfile
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]


class Small(NamedTuple):
    """Ten images a batch, one of each class, five batches to train on and one to test on."""

    pixels: np.ndarray  # (60, 3, 32, 32) uint8
    labels: np.ndarray  # (60,) int64

    def batch(self, k):
        return self.pixels[10 * k : 10 * k + 10], self.labels[10 * k : 10 * k + 10]


def small(seed=0):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([rng.permutation(10) for _ in range(6)])
    return Small(rng.integers(0, 256, (60, 3, 32, 32), dtype=np.uint8), labels)


class _Python2Pickler(pickle._Pickler):
    """Writes texts as Python 2 did, whose pickles the official archive holds."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, text):
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(b"T" + struct.pack("<i", len(raw)) + raw)
        self.memoize(text)

    dispatch[bytes] = dispatch[str] = save_string


def dumps_like_python_2(content):
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue().replace(b"numpy._core.", b"numpy.core.")


def batch_content(data, k):
    pixels, labels = data.batch(k)
    return {
        b"batch_label": f"training batch {k + 1} of 5".encode(),
        b"labels": labels.tolist(),
        b"data": pixels.reshape(10, 3072),
        b"filenames": [f"{k}_{i}.png".encode() for i in range(10)],
    }


def write_python(folder, data, dumps=dumps_like_python_2):
    """The content of ``cifar-10-batches-py``."""
    folder.mkdir(parents=True)
    for k, name in enumerate(BATCHES):
        (folder / name).write_bytes(dumps(batch_content(data, k)))
    meta = {
        b"num_cases_per_batch": 10,
        b"label_names": [name.encode() for name in CLASSES],
        b"num_vis": 3072,
    }
    (folder / "batches.meta").write_bytes(dumps(meta))
    (folder / "readme.html").write_text("not read")
    return folder


def write_binary(folder, data):
    """The content of ``cifar-10-batches-bin``."""
    folder.mkdir(parents=True)
    for k, name in enumerate(BATCHES):
        pixels, labels = data.batch(k)
        records = np.column_stack([labels.astype(np.uint8), pixels.reshape(10, 3072)])
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")
    return folder


def pack(folder, path, mode="w:gz"):
    """The archive of a folder."""
    with tarfile.open(path, mode) as archive:
        archive.add(folder, arcname=folder.name)
    return path


def encoded(pixels, kind="PNG"):
    """An image (C, H, W) as the bytes of a file."""
    array = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind)
    return stream.getvalue()


def write_images(folder, data, *, split=True, classes=CLASSES, kind="PNG"):
    """One folder a class, the files numbered as the images are."""
    for k, (pixels, label) in enumerate(zip(*data, strict=True)):
        part = (("train" if k < 50 else "test"),) if split else ()
        path = folder.joinpath(*part, classes[label], f"{k}.{kind.lower()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels, kind))
    return folder


def features(names):
    """What Hugging Face's library writes into the schema."""
    label = {"names": list(names), "_type": "ClassLabel"}
    return {b"huggingface": json.dumps({"info": {"features": {"label": label}}}).encode()}


def write_parquet_file(path, images, labels, *, names=CLASSES, column="img", label="label"):
    """One file; ``images`` are bytes or None, ``labels`` whole numbers or None."""
    rows = [None if data is None else {"bytes": data, "path": f"{k}.png"} for k, data in enumerate(images)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({column: pa.array(rows, kind), label: pa.array(labels, pa.int64())})
    pq.write_table(table.replace_schema_metadata(features(names) if names else None), path)
    return path


def write_parquet(folder, data, *, kind="PNG", shards=2, **how):
    """``train-*-of-*.parquet`` and ``test-00000-of-00001.parquet``."""
    folder.mkdir(parents=True)
    images, labels = [encoded(pixels, kind) for pixels in data.pixels], data.labels.tolist()
    edges = np.linspace(0, 50, shards + 1).astype(int)
    for k in range(shards):
        own = slice(edges[k], edges[k + 1])
        name = f"train-{k:05d}-of-{shards:05d}.parquet"
        write_parquet_file(folder / name, images[own], labels[own], **how)
    write_parquet_file(folder / "test-00000-of-00001.parquet", images[50:], labels[50:], **how)
    return folder
