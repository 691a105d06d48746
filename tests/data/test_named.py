"""MNIST by name, and fetching from a server on this machine."""

import gzip
import hashlib
import http.server
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from idx_files import idx_bytes, needs_mnist, ramp, write_folder

from evenodds import download
from evenodds.data.idx import FOLDER_FILES
from evenodds.data.named import NAMED, cache_folder, fetch, find_folder, load_named
from evenodds.download import RemoteFile
from evenodds.errors import DataError, RunError

CONTENT = b"some bytes " * 20_000  # several chunks


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100_000] if self.path == "/short" else CONTENT)

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def table(url: str, content: bytes = CONTENT) -> dict[str, RemoteFile]:
    return {"a.gz": RemoteFile(url, len(content), hashlib.sha256(content).hexdigest())}


def test_fetches_once_and_reports(server, tmp_path):
    seen = []
    options = {"folder": tmp_path / "new" / "mnist", "files": table(f"{server}/good")}
    folder = fetch("mnist", **options, progress=lambda *facts: seen.append(facts))
    assert (folder / "a.gz").read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == ["a.gz"]
    assert seen[-1] == ("a.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert len(seen) > 2
    fetch("mnist", **options, progress=lambda *facts: pytest.fail("it was there already"))
    (folder / "a.gz").write_bytes(b"damaged")
    fetch("mnist", **options)
    assert (folder / "a.gz").read_bytes() == CONTENT


def test_a_wrong_file_is_refused_with_both_digests(server, tmp_path):
    files = table(f"{server}/good", CONTENT[:-1] + b"!")
    (tmp_path / "a.gz").write_bytes(b"what was there")
    with pytest.raises(DataError, match="is pinned, and was not kept") as error:
        fetch("mnist", folder=tmp_path, files=files)
    assert hashlib.sha256(CONTENT).hexdigest() in str(error.value)
    assert files["a.gz"].sha256 in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]
    assert (tmp_path / "a.gz").read_bytes() == b"what was there"


def test_a_longer_file_is_not_read_to_its_end(server, tmp_path):
    seen = []
    with pytest.raises(DataError, match="is pinned"):
        fetch(
            "mnist",
            folder=tmp_path,
            files=table(f"{server}/good", b"short"),
            progress=lambda *facts: seen.append(facts[1]),
        )
    assert max(seen) <= 5 + download.CHUNK_BYTES


@pytest.mark.parametrize(
    "path, words",
    [("/short", "is pinned|could not be downloaded"), ("/missing", r"answered 404 \(Not Found\)")],
)
def test_nothing_is_left_behind(server, tmp_path, path, words):
    with pytest.raises(DataError, match=words):
        fetch("mnist", folder=tmp_path, files=table(server + path))
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(server, tmp_path):
    def interrupt(file, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mnist", folder=tmp_path, files=table(f"{server}/good"), progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_no_server_no_web_address_no_folder(tmp_path):
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch("mnist", folder=tmp_path, files=table("http://127.0.0.1:1/x"), timeout_s=2)
    with pytest.raises(DataError, match="not a web address"):
        fetch("mnist", folder=tmp_path, files=table("file:///etc/hostname"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises((DataError, RunError), match="can't be made"):
        fetch("mnist", folder=tmp_path / "file" / "sub", files=table("http://127.0.0.1:1/x"))
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        fetch("mnits")


def test_the_pinned_table():
    for known in NAMED.values():
        assert tuple(known.files) == FOLDER_FILES
        assert all(len(bytes.fromhex(remote.sha256)) == 32 for remote in known.files.values())
        assert len(known.class_names) == 10
    digests = [remote.sha256 for known in NAMED.values() for remote in known.files.values()]
    assert len(set(digests)) == 8


def test_where_it_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENODDS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    with pytest.raises(DataError, match="run: evenodds data fetch fashion_mnist"):
        find_folder("fashion_mnist")
    (tmp_path / "cache").mkdir()
    write_folder(tmp_path / "cache" / "fashion_mnist")
    assert find_folder("fashion_mnist") == tmp_path / "cache" / "fashion_mnist"
    (tmp_path / "data").mkdir()
    write_folder(tmp_path / "data" / "fashion-mnist")
    assert find_folder("fashion_mnist") == tmp_path / "data" / "fashion-mnist"
    with pytest.raises(DataError, match="30 training and 5 test images of 4 × 4"):
        load_named("fashion_mnist", folder=None, value_range=None)
    monkeypatch.delenv("EVENODDS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert cache_folder() == tmp_path / "xdg" / "evenodds"


def test_a_folder_of_other_images_is_not_mnist(tmp_path):
    contents = ramp(6, 28, 28), ramp(6), ramp(2, 28, 28), ramp(2)
    for name, array in zip(FOLDER_FILES, contents, strict=True):
        (tmp_path / name).write_bytes(gzip.compress(idx_bytes(array)))
    with pytest.raises(DataError, match="not the 60000 and 10000"):
        load_named("mnist", folder=str(tmp_path), value_range=None)


@needs_mnist
def test_mnist_is_the_published_one_and_loads_quickly():
    started = time.perf_counter()
    data = load_named("mnist", folder=None, value_range=(-1.0, 1.0))
    assert time.perf_counter() - started < 2
    assert (len(data.train), len(data.validation), len(data.test)) == (50_000, 10_000, 10_000)
    assert data.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.sample_shape == (1, 28, 28)
    # Mean and standard deviation of the 60,000 training images, 0.1307 and 0.3081 in every tutorial.
    shares = sum(np.bincount(split.x.ravel(), minlength=256) for split in (data.train, data.validation))
    values, shares = np.arange(256) / 255, shares / (60_000 * 784)
    mean = float(values @ shares)
    assert mean == pytest.approx(0.1307, abs=5e-5)
    assert float((values - mean) ** 2 @ shares) ** 0.5 == pytest.approx(0.3081, abs=5e-5)
    # MD5 of the uncompressed files, published in many places.
    published = {
        "train-images": "6bbc9ace898e44ae57da46a324031adb",
        "t10k-images": "2646ac647ad5339dbf082846283269ea",
    }
    for stem, digest in published.items():
        path = Path(data.source) / f"{stem}-idx3-ubyte.gz"
        assert hashlib.md5(gzip.decompress(path.read_bytes())).hexdigest() == digest
