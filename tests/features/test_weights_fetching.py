"""Fetching weights: pinned, resumed where it broke off, and looked for in the places that are promised."""

import hashlib
import http.server
import threading

import pytest

from evenodds.download import CHUNK_BYTES, RemoteFile, download
from evenodds.errors import ConfigError, DataError, RunError
from evenodds.features import weights
from evenodds.features.inception import FILE
from evenodds.features.weights import Weights, fetch_weights, weights_path

CONTENT = bytes(range(256)) * 1500  # 384,000 bytes: several chunks
BREAKS_AT = 200_000


class Handler(http.server.BaseHTTPRequestHandler):
    asked: list[str | None] = []  # noqa: RUF012  one server, emptied by its fixture

    def do_GET(self):
        rest = self.headers.get("Range")
        Handler.asked.append(rest)
        start = int(rest.removeprefix("bytes=").rstrip("-")) if rest and self.path != "/no-ranges" else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = BREAKS_AT if self.path == "/breaks" and not start else len(CONTENT)
        self.wfile.write(CONTENT[start:end])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server():
    Handler.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def remote(url: str, content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile(url, len(content), hashlib.sha256(content).hexdigest())


def test_a_download_that_broke_off_goes_on(server, tmp_path):
    path, source = tmp_path / "new" / "w.bin", remote(f"{server}/breaks")
    with pytest.raises(DataError, match=f"could not be downloaded.*{BREAKS_AT} of 384000|could not be downl"):
        download(source, path, resume=True)
    left = tmp_path / "new" / "w.bin.part"
    assert left.read_bytes() == CONTENT[: left.stat().st_size]
    assert left.stat().st_size > 0
    kept, seen = left.stat().st_size, []
    download(source, path, resume=True, progress=lambda *facts: seen.append(facts[1]))
    assert path.read_bytes() == CONTENT
    assert Handler.asked == [None, f"bytes={kept}-"]
    assert kept < seen[0] <= kept + CHUNK_BYTES
    assert [p.name for p in path.parent.iterdir()] == ["w.bin"]


def test_ctrl_c_keeps_what_came(server, tmp_path):
    def interrupt(name, done, total):
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(remote(f"{server}/x"), tmp_path / "w", resume=True, progress=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["w.part"]
    download(remote(f"{server}/x"), tmp_path / "w", resume=True)
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_starts_over(server, tmp_path):
    (tmp_path / "w.part").write_bytes(CONTENT[:70_000])
    download(remote(f"{server}/no-ranges"), tmp_path / "w", resume=True)
    assert (tmp_path / "w").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"?" * 1000, b"?" * 500_000])
def test_a_wrong_beginning_is_found_out_and_not_kept(server, tmp_path, left):
    (tmp_path / "w.part").write_bytes(left)
    if len(left) < len(CONTENT):
        with pytest.raises(DataError, match="is pinned, and was not kept; try again, or put"):
            download(remote(f"{server}/x"), tmp_path / "w", resume=True)
    download(remote(f"{server}/x"), tmp_path / "w", resume=True)
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_a_full_disk_is_one_sentence(server, tmp_path):
    (tmp_path / "full.part").symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"full could not be written .* free some space"):
        download(remote(f"{server}/x"), tmp_path / "full", resume=True)
    assert not (tmp_path / "full").exists()


@pytest.fixture
def pinned(monkeypatch, tmp_path):
    """`inception` with a small file's hash, and an empty cache."""
    known = Weights(FILE, hashlib.sha256(CONTENT).hexdigest(), remote("http://127.0.0.1:1/x"))
    monkeypatch.setattr(weights, "WEIGHTS", {**weights.WEIGHTS, "inception": known})
    monkeypatch.setenv("EVENODDS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EVENODDS_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path


def test_where_fetched_weights_are_looked_for(server, pinned):
    with pytest.raises(DataError, match="run: evenodds extractors fetch inception"):
        weights_path("inception")
    assert not (pinned / "cache").exists()
    fetched = fetch_weights("inception", remote=remote(f"{server}/x"))
    assert fetched == pinned / "cache" / "extractors" / FILE
    assert weights_path("inception") == fetched
    (pinned / "data" / FILE).write_bytes(CONTENT)
    assert weights_path("inception") == pinned / "data" / FILE
    (pinned / "data" / FILE).write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"is pinned; delete it and run: evenodds extractors fetch inception"):
        weights_path("inception")


def test_no_network(pinned):
    with pytest.raises(DataError, match=r"could not be downloaded .* check the connection"):
        fetch_weights("inception")


@pytest.mark.parametrize(
    "name, words",
    [
        ("inceptoin", "did you mean 'inception'"),
        ("mnist", "come with evenodds"),
        ("random", "needs no weights"),
    ],
)
def test_what_can_not_be_fetched(name, words):
    with pytest.raises(ConfigError, match=words):
        fetch_weights(name)
