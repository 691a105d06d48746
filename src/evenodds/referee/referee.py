"""The referee of one run: at every report it looks at the game, says what it sees, and when it is enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from ..algorithm import GAN
from ..config import Config
from ..data.dataset import Dataset
from .second_opinion import SecondOpinion, opinion
from .signals import Signals
from .stopping import enough
from .verdicts import LOOKS_BACK, Game, Verdict, judge

HISTORY = 400  # reports that are kept in memory
STANDINGS = ("learning", "even")  # what D's own odds say when nothing is wrong


class Referee:
    """Signals, verdicts and the suggestion to stop; it never changes the game or its random numbers.

    Args:
        config: of the run.
        gan: the game.
        dataset: its validation split is what the signals are measured on.
    """

    def __init__(self, config: Config, gan: GAN, dataset: Dataset) -> None:
        loss = str(config.loss["name"])
        self._signals = Signals(
            gan,
            dataset,
            held_out=config.held_out,
            conditional=config.conditional,
            seed=config.seed,
            loss=loss,
        )
        scale = float(config.loss.get("discriminator_scale", 1.0))
        self._game = Game(loss=loss, conditional=config.conditional, scale=scale)
        self._second = SecondOpinion(config, gan, dataset)
        self._metrics = config.metrics
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=HISTORY)

    def judge(self, line: dict[str, Any], ema_generator: nn.Module, logits: Mapping[str, Tensor]) -> None:
        """Add signals, verdicts, and events where a verdict is new, to a line of metrics.jsonl.

        Args:
            line: the report as far as it is known.
            ema_generator: the averaged generator.
            logits: "logits/real" and "logits/fake", (N,), of training since the report before.
        """
        line |= self._signals(ema_generator, line["examples"], logits)
        if self._second.due(line, self._lines):
            line |= self._second.ask(line["examples"])
        # a verdict that comes and goes is no news each time
        before = {kind for one in list(self._lines)[-LOOKS_BACK:] for kind in one.get("verdicts", [])}
        self._lines.append(line)
        lines = list(self._lines)
        verdicts, second = judge(lines, self._game), opinion(lines)
        if second is not None:  # it stands in the place of what D's own odds say
            verdicts = [second, *(verdict for verdict in verdicts if verdict.kind not in STANDINGS)]
        line["verdicts"] = [verdict.kind for verdict in verdicts]
        events = [self._event(verdict) for verdict in verdicts if verdict.kind not in before]
        reason = enough(lines, self._metrics)
        if second is not None and second.kind == "even":
            reason = second.text
        if reason is not None:
            line["verdicts"].append("enough")
            if "enough" not in before:
                events.append({"kind": "enough", "text": reason, "trouble": False})
        if events:
            line["event"] = events

    def state(self) -> dict[str, Tensor]:
        """What the next report depends on beside the lines recorded, for a checkpoint."""
        return self._signals.state()

    def restore(self, tensors: Mapping[str, Tensor], lines: Iterable[Mapping[str, Any]]) -> None:
        """Go on from what `state` returned and from the lines of metrics.jsonl, the oldest first."""
        self._signals.restore(tensors)
        self._lines = deque((line for line in lines if "iteration" in line), maxlen=HISTORY)

    def _event(self, verdict: Verdict) -> dict[str, Any]:
        """As metrics.jsonl holds it; `since`: training examples at which that was not yet to be seen."""
        earlier = list(self._lines)[: -LOOKS_BACK - 1]
        since = earlier[-1]["examples"] if earlier else 0
        text = f"{verdict.text} {verdict.advice}".strip()
        return {"kind": verdict.kind, "text": text, "trouble": verdict.trouble, "since": since}
