"""The download, against a server of this test: what came is the published file or nothing is left."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from datasets.image_files import pack, small, write_python
from nonsmooth import _download
from nonsmooth.datasets import _fetch, fetch_cifar10, find_images
from nonsmooth.errors import InputError


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked += 1
        if server.status != 200:
            self.send_error(server.status)
            return
        self.send_response(200)
        if server.says_length:
            self.send_header("Content-Length", str(len(server.content)))
        self.end_headers()
        self.wfile.write(server.content[: server.sends])

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = write_python(tmp_path_factory.mktemp("archive") / "cifar-10-batches-py", small())
    return pack(folder, folder.parent / "cifar-10-python.tar.gz").read_bytes()


@pytest.fixture
def server(archive, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    made.content, made.status, made.asked, made.sends, made.says_length = archive, 200, 0, None, True
    monkeypatch.setattr(_fetch, "_URL", f"http://127.0.0.1:{made.server_port}/a.tar.gz")
    monkeypatch.setattr(_fetch, "_SHA256", hashlib.sha256(archive).hexdigest())
    monkeypatch.setattr(_download, "_CHUNK", 1 << 16)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def refusal(folder):
    with pytest.raises(InputError) as caught:
        fetch_cifar10(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_comes_once_with_progress(server, tmp_path):
    told = []
    path = fetch_cifar10(tmp_path / "new" / "folder", progress=lambda done, total: told.append((done, total)))
    assert path == tmp_path / "new" / "folder" / "cifar-10-python.tar.gz"
    assert path.read_bytes() == server.content
    assert {total for _, total in told} == {len(server.content)}
    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1][0] == len(server.content)
    assert fetch_cifar10(path.parent) == path
    assert server.asked == 1
    assert find_images(path.parent).path == path


def test_a_server_that_does_not_say_how_much_is_no_trouble(server, tmp_path):
    server.says_length = False
    told = []
    fetch_cifar10(tmp_path, progress=lambda *how_far: told.append(how_far))
    assert told == []


def test_what_is_damaged_there_comes_again(server, tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(server.content[:1000])
    assert fetch_cifar10(tmp_path).read_bytes() == server.content


def test_another_file_is_refused_and_not_kept(server, tmp_path):
    server.content = b"a page that asks to log in"
    said = refusal(tmp_path)
    assert "what came is not the published file" in said
    assert hashlib.sha256(server.content).hexdigest() not in said
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_breaks_off_leaves_nothing(server, tmp_path):
    server.sends = 5000
    said = refusal(tmp_path)
    assert "cannot be downloaded" in said or "not the published file" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_without_it_is_named(server, tmp_path, status):
    server.status = status
    assert refusal(tmp_path).startswith(f"{_fetch._URL}: cannot be downloaded (HTTPError); check the network")


def test_without_a_network_it_says_so(server, tmp_path, monkeypatch):
    monkeypatch.setattr(_fetch, "_URL", "http://127.0.0.1:9/a.tar.gz")
    said = refusal(tmp_path)
    assert "cannot be downloaded (ConnectionError); check the network, or download it elsewhere" in said


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nonsmooth"])
def test_a_folder_that_cannot_be_written_is_named(server, tmp_path, place):
    (tmp_path / "file").write_text("x")
    assert "cannot be written" in refusal(tmp_path / place)


def test_it_is_the_archive_of_the_page():
    assert _fetch._URL == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert len(_fetch._SHA256) == 64
