"""The published weights: files good and bad, and the download against a server of our own."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import socket
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks import _vgg16_weights, fetch_vgg16_weights, initialise, load_vgg16_weights, vgg16


def small(seed: int = 0, **options) -> nn.Sequential:
    return initialise(vgg16(1 / 64, classes=10, **options), "torch", "relu", seed)  # type: ignore[return-value]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(small(1).state_dict(), path)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_formats_load(tmp_path: Path, zipped: bool, dtype: torch.dtype) -> None:
    """The published file is of the old format, which is no zip file and cannot be mapped."""
    given = small(1)
    path = tmp_path / "weights.pth"
    torch.save(given.state_dict(), path, _use_new_zipfile_serialization=zipped)
    net = small(2).to(dtype)
    assert load_vgg16_weights(net, str(path)) is net
    path.unlink()  # nothing is left mapped
    for a, b in zip(given.parameters(), net.parameters(), strict=True):
        assert b.dtype == dtype
        assert b.requires_grad
        assert torch.equal(a.to(dtype), b)


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def bad(path: Path, kind: str) -> str:
    """Make a file bad in some way; what the error must say."""
    state = small(1).state_dict()
    whole = path.read_bytes()
    harmful = Harmful(path.parent / "ran")
    if kind == "absent":
        path.unlink()
        return "does not exist; give a checkpoint, or get it by fetch_vgg16_weights"
    if kind == "folder":
        path.unlink()
        path.mkdir()
        return "is not a file"
    if kind.startswith("truncated"):
        path.write_bytes(whole[: int(len(whole) * float(kind.split()[1]))])
        return "is no checkpoint"
    if kind == "old format, truncated":
        torch.save(state, path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:-5000])
        return "is no checkpoint"
    if kind == "empty":
        path.write_bytes(b"")
        return "is no checkpoint that torch can read"
    if kind == "text":
        path.write_text("<html>404 not found</html>")
        return "is no checkpoint"
    if kind == "an archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "b")
        return "is no checkpoint"
    if kind == "code":
        torch.save({"features.0.weight": harmful}, path)
        return "would run code, which is refused"
    if kind == "code, old format":
        torch.save({"features.0.weight": harmful}, path, _use_new_zipfile_serialization=False)
        return "would run code, which is refused"
    if kind == "bare pickle":
        path.write_bytes(pickle.dumps(harmful))
        return "is no checkpoint"
    if kind == "whole module":
        torch.save(small(), path)
        return "would run code, which is refused"
    if kind == "a list":
        torch.save([1, 2], path)
        return "holds a list, not a state dict"
    if kind == "nested":
        torch.save({"epoch": 3, "state_dict": state}, path)
        return "holds a dictionary of 'epoch', 'state_dict', not a state dict of tensors"
    if kind == "missing":
        for name in ("features.5.bias", "classifier.6.weight"):
            del state[name]
        message = "lacks features.5.bias, classifier.6.weight; the published weights fit vgg16() of width 1"
    elif kind == "nothing":
        state.clear()
        message = "lacks features.0.weight, features.0.bias, features.2.weight and 29 more tensors"
    elif kind == "unexpected":
        state["features.1.running_mean"] = torch.zeros(3)
        message = "holds features.1.running_mean, which the model has no place for"
    elif kind == "shape":
        state["classifier.6.weight"] = torch.zeros(1000, 64)
        message = "classifier.6.weight has the shape (1000, 64), the model wants (10, 64)"
    elif kind == "not finite":
        state["features.7.weight"][0, 0, 1, 1] = float("nan")
        message = "features.7.weight holds values that are no finite floating point numbers"
    else:
        state["features.7.bias"] = state["features.7.bias"].long()
        message = "features.7.bias holds values that are no finite floating point numbers"
    torch.save(state, path)
    return message


@pytest.mark.parametrize(
    "kind",
    [
        *("absent", "folder", "truncated 0.99", "truncated 0.5", "truncated 0.001", "old format, truncated"),
        *("empty", "text", "an archive", "code", "code, old format", "bare pickle", "whole module", "a list"),
        *("nested", "missing", "nothing", "unexpected", "shape", "not finite", "integers"),
    ],
)
def test_a_bad_file_is_named_and_changes_nothing(checkpoint: Path, kind: str) -> None:
    said = bad(checkpoint, kind)
    net = small(2)
    with pytest.raises(InputError) as caught:
        load_vgg16_weights(net, checkpoint)
    assert said in str(caught.value)
    assert str(checkpoint) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (checkpoint.parent / "ran").exists()
    for a, b in zip(small(2).parameters(), net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_code_in_the_test_does_run_where_it_is_let(checkpoint: Path) -> None:
    bad(checkpoint, "code")
    torch.load(checkpoint, weights_only=False)
    assert (checkpoint.parent / "ran").is_dir()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server that publishes a small checkpoint under torchvision's kind of name."""
    folder = tmp_path / "server"
    folder.mkdir()
    torch.save(small(1).state_dict(), folder / "file")
    digest = hashlib.sha256((folder / "file").read_bytes()).hexdigest()
    path = folder / f"vgg16-{digest[:8]}.pth"
    (folder / "file").rename(path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_vgg16_weights, "_URL", f"http://127.0.0.1:{server.server_port}/{path.name}")
    yield path
    server.shutdown()
    thread.join()
    server.server_close()


def test_download(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    told: list[tuple[int, int]] = []
    path = fetch_vgg16_weights(folder, progress=lambda done, total: told.append((done, total)))
    assert path == folder / published.name
    assert path.read_bytes() == published.read_bytes()
    assert [*folder.iterdir()] == [path]
    assert told[-1] == (path.stat().st_size,) * 2
    load_vgg16_weights(small(2), path)
    published.unlink()  # a second call asks the server for nothing
    assert fetch_vgg16_weights(str(folder)) == path


def test_what_is_there_already_is_checked(published: Path, tmp_path: Path) -> None:
    path = tmp_path / published.name
    path.write_bytes(published.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"is not the published file .*delete it and fetch it again"):
        fetch_vgg16_weights(tmp_path)
    path.unlink()
    assert fetch_vgg16_weights(tmp_path).read_bytes() == published.read_bytes()


def test_a_damaged_download_leaves_nothing(published: Path, tmp_path: Path) -> None:
    published.write_bytes(published.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"sent is damaged .*try again"):
        fetch_vgg16_weights(tmp_path / "new")
    assert not [*(tmp_path / "new").iterdir()]


def test_a_refusing_server_and_no_network(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.unlink()
    with pytest.raises(
        InputError, match=r"could not be downloaded .*404.*give its path to load_vgg16_weights"
    ):
        fetch_vgg16_weights(tmp_path / "new")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr(_vgg16_weights, "_URL", f"http://127.0.0.1:{port}/vgg16-00000000.pth")
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        fetch_vgg16_weights(tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not [*(tmp_path / "new").iterdir()]


def test_the_address_names_torchvisions_file() -> None:
    assert _vgg16_weights._URL == "https://download.pytorch.org/models/vgg16-397923af.pth"
