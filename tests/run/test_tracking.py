"""TensorBoard's own reader sees what metrics.jsonl says, once."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_runs import BATCH, die, in_child, metrics, one_sentence, tiny, train

from evenodds.errors import RunError
from evenodds.tracking import TensorBoard
from evenodds.trainer import training


def read(directory) -> EventAccumulator:
    events = EventAccumulator(str(directory / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    return events.Reload()


def scalars(directory, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(directory).Scalars(name)]


def test_scalars_and_pictures(tmp_path):
    train(tiny(f"samples_every={6 * BATCH}"), tmp_path)
    lines, events = metrics(tmp_path), read(tmp_path)
    names = set(events.Tags()["scalars"])
    recorded = {name for line in lines for name in line} | {"rate", "seconds", "signal/seconds"}
    assert names == recorded - {"examples", "iteration", "verdicts", "event"}
    said = [event for line in lines for event in line.get("event", [])]
    assert said
    assert {f"referee/{event['kind']}/text_summary" for event in said} == set(events.Tags()["tensors"])
    for name in names & set(lines[0]):
        expected = [(line["examples"], pytest.approx(line[name], rel=1e-6)) for line in lines if name in line]
        assert scalars(tmp_path, name) == expected
    pictures = events.Images("samples")
    assert [picture.step for picture in pictures] == [0, 6 * BATCH, 12 * BATCH]
    for picture in pictures:
        file = Image.open(tmp_path / "samples" / f"{picture.step:010d}.png").convert("RGB")
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture.encoded_image_string))), file)


def train_and_be_killed(config, directory) -> None:
    for progress in training(config, directory):
        if progress.examples == 11 * BATCH:
            progress.session.saver._board._writer.flush()
            die()


def test_what_came_after_the_last_checkpoint_is_hidden_once_it_is_trained_again(tmp_path):
    config = tiny(f"report_every={BATCH}")
    assert in_child(train_and_be_killed, config, tmp_path)[0] == -9
    assert [step for step, _ in scalars(tmp_path, "value/train")] == [BATCH * n for n in range(1, 12)]
    time.sleep(1.1)  # files are read in the order of their names, which hold the second
    train(config, tmp_path)  # on from 6 batches
    lines = {line["examples"]: line["value/train"] for line in metrics(tmp_path)}
    assert scalars(tmp_path, "value/train") == [(step, pytest.approx(value)) for step, value in lines.items()]
    assert len(lines) == 12


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as caught:
        TensorBoard(tmp_path / "file", seen=0)
    assert one_sentence(caught.value, str(tmp_path / "file"))
