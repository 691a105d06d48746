"""The referee of one run: at every report it looks at the game, says what it sees, and when it is enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..algorithm import GAN
from ..config import Config
from ..data.dataset import Dataset
from ..data.loader import to_range
from .probe import probe
from .scores import evaluating
from .signals import Signals
from .stopping import enough
from .verdicts import LOOKS_BACK, Game, Verdict, judge

HISTORY = 400  # reports that are kept in memory
# D's odds are even where it shows less than this of the divergence, nats: then a fresh probe is asked.
EVEN = 0.02
AGAIN = 2.0  # times the training examples seen at the last probe, so that all of them together cost little
FIRST = 10  # reports before the first one
PROBE_REAL, PROBE_STEPS, PROBE_WIDTHS = 2_000, 100, (128, 128)


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
        self._metrics, self._seed = config.metrics, config.seed
        self._gan, self._dataset, self._held_out = gan, dataset, config.held_out
        self._labelled = config.conditional
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=HISTORY)

    def judge(self, line: dict[str, Any], ema_generator: nn.Module, logits: Mapping[str, Tensor]) -> None:
        """Add signals, verdicts, and events where a verdict is new, to a line of metrics.jsonl.

        Args:
            line: the report as far as it is known.
            ema_generator: the averaged generator.
            logits: "logits/real" and "logits/fake", (N,), of training since the report before.
        """
        line |= self._signals(ema_generator, line["examples"], logits)
        if self._to_be_probed(line):
            line |= self._probe(line["examples"])
        # a verdict that comes and goes is no news each time
        before = {kind for one in list(self._lines)[-LOOKS_BACK:] for kind in one.get("verdicts", [])}
        self._lines.append(line)
        verdicts = judge(list(self._lines), self._game)
        line["verdicts"] = [verdict.kind for verdict in verdicts]
        events = [self._event(verdict) for verdict in verdicts if verdict.kind not in before]
        reason = enough(list(self._lines), self._metrics)
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

    def _to_be_probed(self, line: Mapping[str, Any]) -> bool:
        """Whether D shows next to nothing, and long enough after the last probe."""
        if line.get("gauge/jsd", 1.0) > EVEN or len(self._lines) < FIRST:
            return False
        probed = [one["examples"] for one in self._lines if "probe/jsd" in one]
        return not probed or line["examples"] >= AGAIN * probed[-1]

    def _probe(self, examples: int) -> dict[str, float]:
        """What a fresh discriminator finds that has trained against the generator as it is now."""
        split, device = self._dataset.train, next(self._gan.generator.parameters()).device
        random = torch.Generator().manual_seed(self._seed + examples)
        chosen = torch.randperm(len(split), generator=random)[:PROBE_REAL].sort().values.numpy()
        held_out = self._dataset.validation.x[: self._held_out]
        real, unseen = (
            to_range(torch.from_numpy(x), self._dataset.value_range).to(device)
            for x in (split.x[chosen], held_out)
        )
        labels = None if split.y is None or not self._labelled else torch.from_numpy(split.y[chosen])

        def sample(n: int, generator: torch.Generator) -> Tensor:
            drawn = torch.randint(len(chosen), (n,), generator=generator)
            y = None if labels is None else labels[drawn].to(device)
            with evaluating(self._gan.generator):
                x: Tensor = self._gan.generator(self._gan.prior(n, generator).to(device), y)
            return x

        found = probe(real, unseen, sample, steps=PROBE_STEPS, seed=self._seed, widths=PROBE_WIDTHS).bounds
        return {
            "probe/jsd": found.jsd.estimate,
            "probe/jsd/low": found.jsd.low,
            "probe/tv": found.total_variation.estimate,
        }

    def _event(self, verdict: Verdict) -> dict[str, Any]:
        """As metrics.jsonl holds it; `since`: training examples at which that was not yet to be seen."""
        earlier = list(self._lines)[: -LOOKS_BACK - 1]
        since = earlier[-1]["examples"] if earlier else 0
        text = f"{verdict.text} {verdict.advice}".strip()
        return {"kind": verdict.kind, "text": text, "trouble": verdict.trouble, "since": since}
