"""A loss that stops being a number is found, dated and named, and no checkpoint ever holds it."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_runs import BATCH, assert_same_run, checkpoints, last_state, metrics, one_sentence, tiny, train

from evenodds.checkpoint import first_non_finite
from evenodds.errors import NonFiniteError
from evenodds.losses import LOSSES, AdversarialLoss
from evenodds.memory import Memory
from evenodds.trainer import training


@pytest.fixture(autouse=True)
def _nothing_measured_before(monkeypatch):
    """The losses here count their calls, and measuring memory makes some."""
    monkeypatch.setattr(Memory, "fit", lambda self, context: None)


def broken_after(updates: int, *, player: str, value: float = math.nan) -> AdversarialLoss:
    """The non-saturating game, whose loss for one player is `value` from its update number `updates` on."""
    whole, left = LOSSES["non_saturating"], [updates]

    def broken(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        left[0] -= 1
        loss = getattr(whole, player)(real, fake)
        return loss * value if left[0] <= 0 else loss

    return whole._replace(**{player: broken})


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("iteration", [1, 5, 7, 8, 9])
def test_the_iteration_and_the_weight(player, iteration, tmp_path, monkeypatch):
    monkeypatch.setitem(LOSSES, "non_saturating", broken_after(iteration, player=player))
    with pytest.raises(NonFiniteError) as caught:
        # looks after iterations 4, 6, 8 and 12; the referee would ask the broken loss, too
        train(tiny("referee=false"), tmp_path)
    assert str(caught.value).startswith(
        f"loss/{player} became nan at iteration {iteration} ({iteration * BATCH:,} examples); "
    )
    # D's weights are looked at first; G's breakdown reaches them one iteration later
    first = "generator.hidden." if (player, iteration) == ("generator", 8) else "discriminator.layers."
    assert one_sentence(caught.value, f"first weight that is no number: {first}", "smaller learning rate")
    assert all(int(path.stem) < iteration * BATCH for path in checkpoints(tmp_path))
    assert all(line["examples"] < iteration * BATCH for line in metrics(tmp_path))


def test_the_last_good_checkpoint_is_named_and_goes_on(tmp_path, monkeypatch):
    config = tiny()
    train(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setitem(LOSSES, "non_saturating", broken_after(9, player="generator"))
        with pytest.raises(NonFiniteError) as caught:
            train(config, tmp_path / "run")
    last = checkpoints(tmp_path / "run")[-1]
    assert int(last.stem) == 6 * BATCH
    assert f"the last good checkpoint is {last}" in str(caught.value)
    assert all(t.isfinite().all() for t in last_state(tmp_path / "run")[0].values() if t.is_floating_point())
    assert train(config, tmp_path / "run") == 6
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_leaving_the_loop_does_not_save_it(tmp_path, monkeypatch):
    monkeypatch.setitem(LOSSES, "non_saturating", broken_after(2, player="discriminator"))
    with pytest.raises(NonFiniteError, match=r"iteration 2 .*no checkpoint had been saved yet"):
        train(tiny(), tmp_path, 3)
    assert checkpoints(tmp_path) == []


def test_the_earliest_of_several_is_named(tmp_path, monkeypatch):
    """D's loss is listed before G's, but breaks one iteration later: through G."""
    monkeypatch.setitem(LOSSES, "non_saturating", broken_after(2, player="generator"))
    with pytest.raises(NonFiniteError, match=r"^loss/generator became nan at iteration 2 "):
        train(tiny("report_every=never"), tmp_path)


def test_infinity_is_called_so(tmp_path, monkeypatch):
    monkeypatch.setitem(LOSSES, "non_saturating", broken_after(3, player="generator", value=math.inf))
    with pytest.raises(NonFiniteError, match=r"^loss/generator became inf at iteration 3 "):
        train(tiny(), tmp_path)


def test_a_weight_broken_by_the_last_update(tmp_path):
    """Its losses were still numbers."""
    steps = training(tiny(f"report_every={4 * BATCH}"), tmp_path)
    for _ in range(3):
        progress = next(steps)
    with torch.no_grad():
        progress.session.gan.generator.last.bias[5] = math.nan
    with pytest.raises(NonFiniteError) as caught:
        next(steps)
    assert "at iteration 4" in str(caught.value)
    assert "the first weight that is no number: discriminator." in str(caught.value)


def test_a_running_statistic_is_looked_at(tmp_path):
    """Batch norm in training mode does not use it, so no loss would show it; every sample would be NaN."""
    steps = training(tiny("generator.network.batch_norm=true"), tmp_path)
    progress = next(steps)
    progress.session.gan.generator.hidden[0][1].running_var[0] = math.inf
    with pytest.raises(
        NonFiniteError, match=r"weight .* iteration 4; .*generator\.hidden\.0\.1\.running_var"
    ):
        list(steps)


def test_large_numbers_are_not_taken_for_infinite(tmp_path):
    """Their sum overflows; they themselves do not."""
    large = torch.full((4,), 3e38)
    assert first_non_finite([("large", large)]) is None
    assert first_non_finite([("large", large), ("bad", torch.tensor([0.0, -math.inf]))]) == "bad"
