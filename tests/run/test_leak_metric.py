"""`leaks` among the metrics, and the preview of an augmentation from the command line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tiny_runs import digits

from evenodds.cli.main import main
from evenodds.data.sources import ring
from evenodds.errors import ConfigError
from evenodds.evaluation import METRICS, Subject, check_metric


class Given:
    """A sampler whose samples are given."""

    class_names = ()

    def __init__(self, samples):
        self.samples, self.sample_shape = samples, samples.shape[1:]

    def __call__(self, seeds, labels=None):
        return self.samples[list(seeds)]


def as_samples(x):
    return x.astype(np.float32) / 127.5 - 1


def test_turned_samples_are_said_to_be_turned():
    data = digits()
    samples = as_samples(data.train.x[:150])
    samples[::2] = np.rot90(samples[::2], 1, (2, 3))
    found = METRICS["leaks"].measure(Subject(Given(samples), data, split="validation"), 150)
    assert found.name == "leaks150"
    assert found.value > 20
    assert found.details["turned"]["leaked"]
    assert "turned" in found.also
    assert found.reference.startswith(f"{min(150, len(data.validation) - len(data.validation) // 2)} other")
    assert "no more than data are: " in found.reference


def test_vectors_have_no_leaks():
    with pytest.raises(ConfigError, match="one of images"):
        check_metric("leaks", ring())


def test_a_preview_is_drawn(tmp_path, capsys):
    for name, rows in (("diffaugment", 6), ("r3gan", 14)):
        out = tmp_path / f"{name}.png"
        assert main(["data", "preview", "digits", "--augment", name, "--out", str(out)]) == 0
        with Image.open(out) as picture:
            assert picture.height / rows > 20
    assert "diffaugment.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, said",
    [
        (["digits", "--augment", "adda"], "did you mean 'ada'?"),
        (["digits", "--out", "sheet.jpg"], "is no PNG"),
        (["ring"], "set augment=null"),
        (["digits", "--set", "transformations=[spin]"], "no transformation is called"),
    ],
)
def test_a_preview_that_can_not_be_drawn(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "preview", *words]) == 2
    # lines are wrapped
    assert said in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
