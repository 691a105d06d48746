"""plots/, movie.webp, report.html and write_all, from a synthetic run."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, features
from synthetic_run import CONFIG, add_frame, records, write_metrics  # type: ignore[import-not-found]

from evenodds.errors import RunError
from evenodds.report import everything, movie, plots, write_all
from evenodds.report import html as page_module
from evenodds.report.charts import charts
from evenodds.report.facts import read_facts
from evenodds.report.frames import choose, sample_frames
from evenodds.report.history import read_history
from evenodds.report.html import embedded, write_report
from evenodds.report.movie import durations, write_movie
from evenodds.report.plots import short_count, write_plots
from evenodds.report.words import duration, flattened

HOSTILE = '</script><script>alert(1)</script><img src="http://example.org/x" onerror="alert(1)">{{data}}$x_{'


class Page(HTMLParser):
    """What a browser would load, run and show."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open:
            self.content.setdefault(self.open[-1], []).append(data)

    def attribute(self, tag: str, name: str) -> list[str | None]:
        return [attributes.get(name) for kind, attributes in self.tags if kind == tag]

    def data(self) -> Any:
        return json.loads(self.content["script"][0])


def report(run: Path) -> tuple[str, Page]:
    text = write_report(run).read_text(encoding="utf-8")
    return text, Page(text)


def test_plots_are_pictures_of_1350_pixels_with_the_same_bytes_each_time(
    run: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn = charts(read_history(run), read_facts(run), limit=plots.POINTS)
    written = write_plots(run)
    assert [path.name for path in written] == ["losses.png", "odds.png", "value.png", "metrics.png"]
    before = [path.read_bytes() for path in written]
    for path in written:
        with Image.open(path) as image:
            assert image.width == 1350
            assert np.asarray(image.convert("L")).std() > 10
    monkeypatch.setattr(plots, "all_charts", lambda *args, **more: drawn[:1])
    assert [path.read_bytes() for path in write_plots(run)] == before[:1]


def test_names_with_mathematics_in_them_stay_names(run: Path):
    config = CONFIG | {"recipe": "$\\frac{", "data": {"name": "$x_{"}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    write_metrics(run, [{"examples": 5, "metric/$\\bad{": 1.0, "d/real": 0.5, "d/fake": float("nan")}])
    assert len(write_plots(run)) == 2


def test_a_run_without_curves_can_not_be_plotted(tmp_path: Path):
    write_metrics(tmp_path, [{"examples": 5, "loss/generator": None}])
    with pytest.raises(RunError, match="no curves to plot yet; let it train"):
        write_plots(tmp_path)
    assert not (tmp_path / "plots").exists()


def test_counts_are_short():
    assert [short_count(value) for value in (0, 999, 1_000, 1_250_000, 3e9)] == [
        "0",
        "999",
        "1k",
        "1.25M",
        "3G",
    ]


def read_movie(path: Path) -> tuple[list[int], list[float]]:
    """Milliseconds and mean brightness of the grid of every frame, in order."""
    times, greys = [], []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            times.append(int(image.info["duration"]))
            greys.append(float(np.asarray(image.convert("L"))[40:].mean()))
    return times, greys


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_the_movie_shows_every_frame_in_order_and_holds_the_last(
    run: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    if kind == "gif":
        monkeypatch.setattr(features, "check", lambda name: False)
    elif not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    path = write_movie(run, seconds=0.4)
    assert path == run / f"movie.{kind}"
    times, greys = read_movie(path)
    assert times == [100, 100, 100, 100, 2000]
    expected = [
        float(np.asarray(Image.open(frame.path).convert("L"))[40:].mean()) for frame in sample_frames(run)
    ]
    assert greys == pytest.approx(expected, abs=6)
    assert max(greys) - min(greys) > 60


def test_frames_of_other_size_and_broken_files_are_skipped(run: Path):
    add_frame(run, 100, 0.5, side=9)
    (run / "samples" / "0000000300.png").write_bytes((run / "samples" / "0000000250.png").read_bytes()[:-40])
    (run / "samples" / "0000000400.png").write_bytes(b"no picture")
    (run / "samples" / "notes.png").write_bytes((run / "samples" / "0000000250.png").read_bytes())
    assert [frame.examples for frame in sample_frames(run)] == [0, 250, 500, 750, 1000]


def test_frames_are_chosen_evenly_with_both_ends(run: Path):
    frames = [frame._replace(examples=index) for index in range(100) for frame in sample_frames(run)[:1]]
    assert [frame.examples for frame in choose(frames, 4)] == [0, 33, 66, 99]
    assert [frame.examples for frame in choose(frames, 1)] == [99]
    assert len(choose(frames, 500)) == 100
    assert len(read_movie(write_movie(run, maximum_frames=3))[0]) == 3


def test_durations_stay_in_what_browsers_play():
    assert durations(1, 8.0) == [2000]
    assert durations(3, 8.0) == [1000, 1000, 2000]
    assert durations(81, 8.0) == [100] * 80 + [2000]
    assert min(durations(2_000, 8.0)) == 20


def test_a_movie_of_nothing_is_refused(tmp_path: Path, run: Path):
    with pytest.raises(RunError, match="holds no intact picture; let the run train"):
        write_movie(tmp_path)
    with pytest.raises(RunError, match="give more than 0 seconds"):
        write_movie(run, seconds=0)


def test_the_page_loads_nothing_and_runs_only_its_own_script(run: Path):
    text, page = report(run)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:"), (tag, name)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.findall(r"@import|url\(|https?:", text)
    policy = (
        next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    )
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert page.attribute("script", "type") == ["application/json", None]


def test_the_policy_names_the_hashes_of_script_and_style(run: Path):
    """A browser hashes the text between the tags; a page whose hash differs would stay dead."""
    text, page = report(run)
    policy = (
        next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    )
    for tag in ("script", "style"):
        inner = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert len(inner) == 1
        digest = base64.b64encode(hashlib.sha256(inner[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_says_how_far_and_who_is_winning(run: Path):
    text, page = report(run)
    # The records end at D = 1/2 for real and generated: V = log 1/2 + log 1/2 = -1.386
    assert "−1.386 nats" in text
    assert "JSD is at least 0" in text
    assert "1,000 of 2,000 (50%) real training examples" in text
    assert "evenodds sample &#x27;digits run&#x27; --seeds 0-63 --out samples.png --grid" in text
    assert "evenodds train --resume --dir &#x27;digits run&#x27;" in text
    for words in ("generator.network.base_channels", "0.5, 0.999", "versions.torch", "D is ahead; lower its"):
        assert words in text
    assert "150 ± 2" in text
    assert "split: validation" in text
    assert page.content["title"] == ["digits"]


def test_a_lead_of_the_discriminator_is_put_into_words(run: Path):
    # D(x) = 0.9, D(G(z)) = 0.1: V = 2 log 0.9 = -0.2107, (V + log 4)/2 = 0.5878
    write_metrics(run, [{"examples": 10, "value/held_out": 2 * float(np.log(0.9))}])
    text, _ = report(run)
    assert "−0.211 nats" in text
    assert "JSD is at least 0.588 of the possible 0.693 nats; even odds would be 0." in text
    write_metrics(run, [{"examples": 10, "d/real": 0.5}])
    assert "has not been recorded yet" in report(run)[0]


def test_the_embedded_curves_and_pictures_are_those_of_the_run(run: Path):
    _, page = report(run)
    data = page.data()
    losses = data["charts"][0]["series"]
    assert losses[0]["x"] == [10 * (index + 1) for index in range(100)]
    assert losses[1]["y"][-1] == pytest.approx(np.log(2), abs=1e-4)
    assert [frame["examples"] for frame in data["frames"]] == [0, 250, 500, 750, 1000]
    head, body = data["frames"][2]["src"].split(",")
    assert head in ("data:image/webp;base64", "data:image/png;base64")
    with (
        Image.open(io.BytesIO(base64.b64decode(body))) as image,
        Image.open(sample_frames(run)[2].path) as original,
    ):
        difference = np.asarray(image.convert("RGB")).astype(int) - np.asarray(original.convert("RGB"))
    assert np.abs(difference).mean() < 6
    assert len(page.attribute("figure", "data-chart")) == len(data["charts"]) == 4
    assert all(page.attribute("img", "alt"))


def test_a_strangers_names_stay_text(run: Path):
    config = CONFIG | {
        "recipe": HOSTILE,
        "data": {"name": HOSTILE},
        "loss": {"name": HOSTILE},
        HOSTILE: HOSTILE,
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "environment.json").write_text(json.dumps({HOSTILE: HOSTILE, "lone": "\ud800"}))
    line = {"examples": 10, "d/real": 0.5, f"metric/{HOSTILE}": 1.0, f"metric/{HOSTILE}x": 2.0}
    line |= {"metric/a": 1.0, "metric/a/how": HOSTILE, "event": {"kind": HOSTILE, "text": HOSTILE}}
    write_metrics(run, [line])
    hostile = run.rename(run.with_name("<script>alert(2)<"))
    text, page = report(hostile)
    assert text.count("<script") == 2
    assert page.attribute("img", "src") == [page.data()["frames"][-1]["src"]]
    assert [a for _, a in page.tags if "onerror" in a] == []
    assert page.content["title"][0].startswith("</script><script>alert(1)")
    assert "{{data}}" in page.content["title"][0]


def test_embedded_json_can_not_leave_its_element():
    text = embedded({"a": "</script><!--<script>& "})
    assert "<" not in text
    assert "&" not in text
    assert text.isascii()
    assert json.loads(text) == {"a": "</script><!--<script>& "}
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded(float("nan"))


def test_values_that_are_no_numbers_leave_gaps(run: Path):
    lines = records()
    for index in (0, 5, 99):
        lines[index] |= dict.fromkeys(("loss/generator", "value/held_out", "d/fake"), float("nan"))
    lines[7]["loss/generator"] = float("inf")
    lines[8]["rate"] = None
    write_metrics(run, lines, '{"examples": 1010, "loss/gen')
    text, page = report(run)
    data = page.data()
    assert len(data["charts"][0]["series"][1]["x"]) == 96
    assert "1 line of metrics.jsonl could not be read" in text


def test_a_configuration_that_unfolds_without_end_is_cut(run: Path):
    bomb = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (run / "config.yaml").write_text(bomb + "self: &s [*s]\nlong: " + "y" * 5_000)
    text, _ = report(run)
    assert "more in config.yaml" in text
    assert len(text) < 400_000


def test_settings_are_flattened_as_they_are_written():
    values = {"a": {"b": [1, 2.5], "c": None}, "d": [{"name": "r1"}, True], "e": False, "f": {}, "g": []}
    assert dict(flattened(values)) == {
        "a.b": "1, 2.5", "a.c": "null", "d.0.name": "r1", "d.1": "true", "e": "false", "f": "{}", "g": "",
    }  # fmt: skip


def test_pictures_are_made_smaller_until_the_page_is_small(run: Path, monkeypatch: pytest.MonkeyPatch):
    frames = sample_frames(run)
    whole = sum(len(source) for _, source in page_module.encoded(frames))
    monkeypatch.setattr(page_module, "BUDGET", whole // 4)
    less = page_module.encoded(frames)
    assert sum(len(source) for _, source in less) < whole // 2
    assert (less[0][0], less[-1][0]) == (0, 1000)


def test_durations_in_words():
    assert [duration(seconds) for seconds in (5, 65, 3_725, 90_000)] == [
        "5 s",
        "1 min 5 s",
        "1 h 2 min",
        "25 h 0 min",
    ]


def test_an_empty_run_has_no_report(tmp_path: Path):
    with pytest.raises(RunError, match=r"holds no metrics\.jsonl; give the folder of a run"):
        write_report(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(RunError, match="no records and no sample pictures yet; let it train"):
        write_report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_run_with_pictures_only_or_curves_only_has_a_report(run: Path):
    (run / "metrics.jsonl").write_text("")
    (run / "config.yaml").unlink()
    text, page = report(run)
    assert "no records yet" in text
    assert page.data()["charts"] == []
    write_metrics(run, records())
    for path in (run / "samples").iterdir():
        path.unlink()
    text, page = report(run)
    assert page.attribute("img", "src") == []
    assert page.data()["frames"] == []
    assert "the run directory has no config.yaml" in text


def test_write_all_writes_what_it_can_and_says_what_not(run: Path, monkeypatch: pytest.MonkeyPatch):
    skipped: list[str] = []
    written = write_all(run, skipped=skipped)
    assert sorted(written) == ["losses", "metrics", "movie", "odds", "report", "value"]
    assert all(path.is_file() for path in written.values())
    assert skipped == []
    monkeypatch.setattr(everything, "write_plots", lambda run: [run / "losses.png"])  # for speed
    for path in (run / "samples").iterdir():
        path.unlink()
    assert "movie" not in write_all(run, skipped=skipped)
    assert len(skipped) == 1
    assert skipped[0].startswith("movie: ")
    monkeypatch.setattr(movie, "sample_frames", lambda run: 1 / 0)
    assert sorted(write_all(run, skipped=skipped)) == ["losses", "report"]
    assert "ZeroDivisionError" in skipped[1]


def test_write_all_of_nothing_returns_nothing_and_logs_why(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert write_all(tmp_path) == {}
    assert len(caplog.records) == 3
