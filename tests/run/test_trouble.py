"""What follows a verdict: a warning, an end, or the way back; the referee says what the test wants."""

from __future__ import annotations

import contextlib

import pytest
import torch
from tiny_runs import BATCH, assert_same_run, checkpoints, last_state, metrics, tiny, train

from evenodds import saving
from evenodds.errors import NonFiniteError
from evenodds.saving import SMALLEST_FACTOR
from evenodds.trainer import training

EVERY = [f"report_every={BATCH}", f"checkpoint_every={2 * BATCH}", "referee=true"]


class Whistle:
    """Blows at given numbers of examples, as long as it has been blown less than so often at each."""

    def __init__(self, at: dict[int, int], kind: str = "collapse", back: int = 3 * BATCH) -> None:
        self.at, self.kind, self.back = at, kind, back

    def judge(self, line, ema_generator, logits) -> None:
        seen = line["examples"]
        if self.at.get(seen, 0):
            self.at[seen] -= 1
            trouble, since = self.kind != "enough", max(seen - self.back, 0)
            line["event"] = [{"kind": self.kind, "text": "So it is.", "trouble": trouble, "since": since}]

    def state(self):
        return {}

    def restore(self, tensors, lines) -> None:
        self.restored = [line["examples"] for line in lines]


@pytest.fixture
def blows(monkeypatch):
    def appoint(*arguments, **options) -> Whistle:
        whistle = Whistle(*arguments, **options)
        monkeypatch.setattr(saving, "Referee", lambda config, gan, dataset: whistle)
        return whistle

    return appoint


def play(config, directory):
    """The session, and every number of examples that was passed."""
    seen, session = [], None
    with contextlib.closing(training(config, directory)) as steps:
        for progress in steps:
            session = progress.session
            seen.append(progress.examples)
    return session, seen


def test_a_warning_changes_nothing(blows, tmp_path):
    blows({5 * BATCH: 1})
    session, _ = play(tiny(*EVERY), tmp_path / "warned")
    assert session.stopped is None
    train(tiny(*EVERY), tmp_path / "quiet")
    assert last_state(tmp_path / "warned")[1] == last_state(tmp_path / "quiet")[1]
    events = [line["examples"] for line in metrics(tmp_path / "warned") if "event" in line]
    assert events == [5 * BATCH]


@pytest.mark.parametrize(
    ("option", "kind", "ends"),
    [
        ("on_trouble=stop", "collapse", True),
        ("on_trouble=stop", "enough", False),
        ("until=even", "enough", True),
        ("until=even", "collapse", False),
    ],
)
def test_stopping(option, kind, ends, blows, tmp_path):
    blows({5 * BATCH: 1}, kind)
    session, seen = play(tiny(*EVERY, option), tmp_path)
    assert (session.stopped is not None) is ends
    assert seen[-1] == (5 if ends else 12) * BATCH
    assert int(checkpoints(tmp_path)[-1].stem) == seen[-1]  # nothing is lost
    if ends:
        assert session.stopped["text"] == "So it is."


def test_a_stopped_run_goes_on_as_if_it_had_not_been(blows, tmp_path):
    blows({5 * BATCH: 2})
    play(tiny(*EVERY, "on_trouble=stop"), tmp_path / "run")
    blows({})
    train(tiny(*EVERY), tmp_path / "run")
    blows({5 * BATCH: 1})
    train(tiny(*EVERY), tmp_path / "whole")
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_rollback(blows, tmp_path):
    whistle = blows({7 * BATCH: 1})
    session, seen = play(tiny(*EVERY, "on_trouble=rollback"), tmp_path)
    assert [n // BATCH for n in seen] == [1, 2, 3, 4, 5, 6, 7, *range(5, 13)]
    assert whistle.restored == [BATCH, 2 * BATCH, 3 * BATCH, 4 * BATCH]
    assert session.stopped is None
    lines = metrics(tmp_path)
    assert [line["examples"] // BATCH for line in lines if "iteration" in line] == list(range(1, 13))
    (event,) = [event for line in lines for event in line.get("event", [])]
    assert event["kind"] == "rollback"
    assert f"{4 * BATCH} examples" in event["text"]
    assert "So it is." in event["text"]
    rates = {
        line["examples"] // BATCH: line["learning_rate/generator"] for line in lines if "iteration" in line
    }
    assert rates[4] == 1e-3
    assert rates[5] == rates[12] == 5e-4


def test_the_smaller_rate_is_still_there_after_a_restart(blows, tmp_path):
    blows({7 * BATCH: 1})
    config = tiny(*EVERY, "on_trouble=rollback")
    train(config, tmp_path / "whole")
    blows({7 * BATCH: 1})
    train(config, tmp_path / "run", 9)
    train(config, tmp_path / "run")
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_the_third_time_the_run_ends(blows, tmp_path):
    blows({7 * BATCH: 9})
    session, seen = play(tiny(*EVERY, "on_trouble=rollback"), tmp_path)
    assert seen.count(7 * BATCH) == 3
    assert session.stopped is not None
    assert session.saver.rate_factor == SMALLEST_FACTOR


def test_no_checkpoint_from_before_the_trouble(blows, tmp_path):
    blows({3 * BATCH: 1})
    session, seen = play(tiny(*EVERY, "on_trouble=rollback"), tmp_path)
    assert session.stopped is not None
    assert seen[-1] == 3 * BATCH


def poison(config, directory, at: int, times: int):
    """Training in which a weight of D becomes NaN after `at` examples, so many times."""
    seen = []
    with contextlib.closing(training(config, directory)) as steps:
        for progress in steps:
            seen.append(progress.examples // BATCH)
            if progress.examples == at and times:
                times -= 1
                with torch.no_grad():
                    next(progress.session.gan.discriminator.parameters()).fill_(float("nan"))
    return seen


def test_a_number_that_is_none_is_rolled_back_too(blows, tmp_path):
    blows({})
    config = tiny(*EVERY, "on_trouble=rollback", "report_every=24")
    assert poison(config, tmp_path, 5 * BATCH, 1) == [1, 2, 3, 4, 5, *range(5, 13)]
    (event,) = [event for line in metrics(tmp_path) for event in line.get("event", [])]
    assert "nan" in event["text"]
    assert "4" in event["text"]


def test_but_not_for_ever(blows, tmp_path):
    blows({})
    config = tiny(*EVERY, "on_trouble=rollback")
    with pytest.raises(NonFiniteError):
        poison(config, tmp_path, 5 * BATCH, 3)
    with pytest.raises(NonFiniteError):
        poison(tiny(*EVERY), tmp_path / "warned", 5 * BATCH, 1)
