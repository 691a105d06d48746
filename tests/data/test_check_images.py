"""One run over a folder names everything that was planted in it."""

import json

import numpy as np
from image_files import cache, encoded, folder_of, noise, numbered, opened  # noqa: F401
from PIL import Image

from evenodds.cli.main import main
from evenodds.data.check import check, examine, info
from evenodds.data.check_images import TELLING, repeated
from evenodds.data.dataset import Dataset, Split
from evenodds.data.findings import some


def scene(seed: int, height: int = 40, width: int = 40, channels: int = 3) -> np.ndarray:
    """A smooth image (H, W, C), different for every seed."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (6, 6, channels)).astype(np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(small[..., c]).resize((width, height))) for c in range(channels)], -1
    )


def folder(path, count: int = 130, prefix: str = ""):
    for number in range(count):
        file = path / f"{prefix}{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(scene(number)))
    return path


def kinds(findings) -> dict[tuple[str, str], int]:
    return {(finding.kind, finding.split): finding.count for finding in findings}


def test_a_clean_folder_has_no_findings(tmp_path):
    report = examine(folder(tmp_path / "clean"))
    assert report.findings == ()
    assert (report.advice.size, report.advice.channels) == ((40, 40), 3)


def test_everything_in_one_run(tmp_path):
    path = folder(tmp_path / "x")
    (path / "cut.png").write_bytes(encoded(scene(200))[:900])
    (path / "cut shorter.png").write_bytes(encoded(scene(201))[:700])
    (path / "empty.jpg").write_bytes(b"")
    (path / "dot.png").write_bytes(encoded(np.zeros((1, 1, 3), np.uint8)))
    (path / "same as 7.png").write_bytes(encoded(scene(7)))
    (path / "nearly 9.jpg").write_bytes(encoded(scene(9), "JPEG", quality=80))
    (path / "black.png").write_bytes(encoded(np.zeros((40, 40, 3), np.uint8)))
    (path / "grey.png").write_bytes(encoded(scene(300, channels=1)[..., 0]))
    (path / "tiny.png").write_bytes(encoded(scene(301, 15, 15)))
    (path / "wide.png").write_bytes(encoded(scene(302, 40, 400)))
    report = examine(path)
    found = kinds(report.findings)
    bad = [finding for finding in report.findings if finding.kind == "unusable files"]
    assert sorted(name for finding in bad for name in finding.names) == [
        "cut shorter.png", "cut.png", "dot.png", "empty.jpg",
    ]  # fmt: skip
    assert [finding.count for finding in bad] == [2, 1, 1]  # one for each reason
    assert found[("duplicates", "train")] == 1 or found[("duplicates", "validation")] == 1
    assert found[("near-duplicates", "")] == 2
    assert found[("grey among coloured", "")] == 2  # and black
    assert found[("sizes", "")] == 136
    assert sum(count for (kind, _), count in found.items() if kind == "constant") == 1
    names = {name for finding in report.findings for name in finding.names}
    assert {"nearly 9.jpg", "black.png", "grey.png", "tiny.png"} <= names
    assert all(finding.message.count(";") >= 1 for finding in report.findings)
    assert report.count("error") == 0


def test_copies_across_given_splits_are_a_leak(tmp_path):
    path = tmp_path / "x"
    folder(path, 110, "train/")
    for number in range(10):
        file = path / "test" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(encoded(scene(500 + number)))
    (path / "test" / "exact.png").write_bytes(encoded(scene(3)))
    for number in (5, 6):
        content = (scene(number) * 0.9).round().astype(np.uint8)
        (path / "test" / f"darker {number}.png").write_bytes(encoded(content))
    report = examine(path)
    found = kinds(report.findings)
    assert found[("near-overlap", "")] == 4
    leak = next(finding for finding in report.findings if finding.kind == "near-overlap")
    assert leak.severity == "warning"  # 4 of 123 are more than one in a hundred
    assert {"test/darker 5.png", "train/5.png"} <= set(leak.names)
    overlap = [finding for finding in report.findings if finding.kind == "overlap"]
    assert [finding.names for finding in overlap] in ([("test/exact.png",)], [])


def test_cropping_that_loses_much_is_a_warning(tmp_path):
    path = tmp_path / "x"
    path.mkdir()
    for number in range(120):
        size = (60, 36) if number % 2 else (36, 60)
        (path / f"{number}.png").write_bytes(encoded(scene(number, *size)))
    found = check(path)
    assert kinds(found) == {("cropped", ""): 120}
    assert "fit=pad" in found[0].message


def test_transparency_is_noted(tmp_path):
    path = tmp_path / "x"
    path.mkdir()
    for number in range(110):
        pixels = np.concatenate([scene(number), np.full((40, 40, 1), 255, np.uint8)], -1)
        if number % 2:
            pixels[:10, :, 3] = 0
        (path / f"{number}.png").write_bytes(encoded(pixels))
    report = examine(path)
    assert report.advice.channels == 4
    note = next(finding for finding in report.findings if finding.kind == "transparent")
    assert (note.severity, note.count) == ("note", 55)


def test_rare_classes_and_label_problems_are_said(tmp_path):
    path = folder(tmp_path / "x", 110, "common/")
    for number in range(4):
        file = path / "rare" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(encoded(scene(900 + number)))
    assert ("imbalance", "train") in kinds(check(path))
    (path / "outside.png").write_bytes(encoded(scene(950)))
    found = check(path)
    assert ("labels", "") in kinds(found)


def test_arrays_of_images_get_the_same_look():
    x = np.stack([scene(number).transpose(2, 0, 1) for number in range(120)])
    x[50] = (x[2] * 0.9).round()
    x[60, 1] = x[60, 2] = x[60, 0]
    names = kinds(check(Dataset("x", Split(x[:110]), Split(x[110:]), None)))
    assert names == {("near-duplicates", ""): 2, ("grey among coloured", ""): 1}
    found = {finding.kind: finding for finding in check(Dataset("x", Split(x[:110]), Split(x[110:]), None))}
    assert found["near-duplicates"].names == ("train 2", "train 50")


def test_small_images_are_not_compared():
    side = TELLING - 1
    x = np.stack([scene(number, side, side).transpose(2, 0, 1) for number in range(110)])
    x[5] = (x[4] * 0.9).round()
    assert check(Dataset("x", Split(x[:100]), Split(x[100:]), None)) == []


def test_exit_status_and_json(tmp_path, capsys):
    def status(*words: str) -> int:
        return main(["data", "check", *words])

    clean = str(folder(tmp_path / "clean", 120))
    assert status(clean, "--strict") == 0
    assert "nothing wrong" in capsys.readouterr().out
    few = str(folder(tmp_path / "few", 30))
    assert (status(few), status(few, "--strict")) == (0, 2)
    capsys.readouterr()
    assert status(few, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert [finding["kind"] for finding in facts["findings"]] == ["few"]
    assert facts["advice"]["size"] == [40, 40]
    assert status(str(tmp_path / "nothing"), "--json") == 2
    facts = json.loads(capsys.readouterr().out)
    assert (facts["advice"], facts["findings"][0]["severity"]) == (None, "error")


def test_info_has_the_proposals(tmp_path):
    facts = info(opened(folder_of(tmp_path / "x", numbered(30))))
    json.dumps(facts)
    assert facts["advice"]["augment"] == "strong"


def test_helpers():
    assert repeated([b"a", b"b", b"a", b"a"]).tolist() == [2, 3]
    assert some(["a", "b", "c", "d"]) == "a, b, c and 1 more"
    assert some(["a"]) == "a"
    assert noise(2, 2).shape == (2, 2, 3)
