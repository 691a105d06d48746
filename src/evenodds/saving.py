"""What training writes while it goes on: records, pictures, measurements, checkpoints and the generator."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .algorithm import GAN
from .checkpoint import below, game_tensors, load_tensors, restore_game, save_tensors
from .config import Config
from .data.dataset import Dataset, refuse_other
from .data.loader import Loader
from .drawing import save_picture
from .ema import EMA
from .errors import NonFiniteError, RunError
from .evaluation.log import forget_after
from .evaluation.training import as_metrics, is_better, measure_in_training
from .files import write_text
from .fine_tuning import Origin
from .progress_picture import progress_picture
from .recorder import Recorder
from .referee.referee import Referee
from .run import Run
from .sampling import Sampler, sampler_of
from .tracking import TensorBoard

NEWEST_KEPT = 2  # checkpoints: the last, and the one before it in case the last is lost with the disk's cache
KEPT_FOR_ROLLBACK = 4
SMALLEST_FACTOR = 0.25  # of the learning rates: two rollbacks, and a run that breaks down again ends


class Saver:
    """Writes into one run's directory; the averaged generator is the one that is drawn, measured and saved.

    Args:
        config: of the run.
        run: its directory, open.
        dataset: that it trains on.
        gan: the game.
        ema: the average of its generator.
        loader: that it draws its batches from.
        recorder: that was given the result of every iteration.
    """

    def __init__(
        self,
        config: Config,
        run: Run,
        dataset: Dataset,
        gan: GAN,
        ema: EMA,
        loader: Loader,
        recorder: Recorder,
    ) -> None:
        self._config, self._run, self._dataset = config, run, dataset
        self._gan, self._ema, self._loader, self._recorder = gan, ema, loader, recorder
        self._per_iteration = config.batch_size * config.critic_steps
        self._saved = 0  # training examples that the last checkpoint had seen
        self._best: dict[str, Any] | None = None
        self._measured: dict[str, Any] = {}
        self._board: TensorBoard | None = None
        self._untold: list[dict[str, Any]] = []  # events recorded since the last report
        self._evaluations = run.directory / "evaluations.jsonl"
        self._referee = Referee(config, gan, dataset) if config.referee else None
        self._start: dict[str, Any] | None = None  # where the first weights came from
        self.resumed = False  # whether there was a checkpoint to go on from
        self.rate_factor = 1.0  # on both players' learning rates, halved by every rollback

    @property
    def _examples(self) -> int:
        return self._gan.iteration * self._per_iteration

    def restore(self) -> float:
        """Put the last checkpoint back, if there is one; the seconds trained until then.

        Raises:
            RunError: it is damaged or belongs to other networks.
        """
        files = self._run.checkpoint_files()
        if not files:
            self._run.forget_after(-1)
            forget_after(self._evaluations, -1)
            return 0.0
        try:
            tensors, facts = load_tensors(files[-1], "checkpoint")
        except RunError as error:
            before = f"or delete it to go on from {files[-2].name}" if len(files) > 1 else "or start anew"
            raise RunError(f"{error}, {before}") from None
        refuse_other(self._dataset, facts.get("data"), files[-1])
        self._put_back(tensors, facts, files[-1])
        self.resumed = True
        self._best, self._measured = facts["best"], facts["measured"]
        self.rate_factor = float(facts.get("rate_factor", 1.0))
        self._start = facts.get("start")
        self._gan.micro_batch = facts.get("micro_batch", self._config.micro_batch)
        return float(facts["seconds"])

    def begin_from(self, origin: Origin) -> None:
        """Record where the first weights come from, and save them: that file is not needed again."""
        self._start = origin.facts
        self.note("start", origin.text)
        self.checkpoint(0, 0.0)

    def roll_back(self, reason: str, seconds: float, *, before: int) -> bool:
        """Go back to the newest checkpoint from before the trouble, with half the learning rates.

        Args:
            reason: what went wrong, for the record.
            seconds: trained so far.
            before: training examples at which all was well.

        Returns:
            False, and nothing is changed, where there is none, or after the second time.

        Raises:
            RunError: a checkpoint is damaged, or something can't be written.
        """
        files = [path for path in self._run.checkpoint_files() if int(path.stem) <= before]
        if not files or self.rate_factor <= SMALLEST_FACTOR:
            return False
        tensors, facts = load_tensors(files[-1], "checkpoint")
        self._put_back(tensors, facts, files[-1])
        self.rate_factor /= 2
        self._save_checkpoint(files[-1].stem, facts["examples"], seconds)
        for path in self._run.checkpoint_files():
            if int(path.stem) > facts["examples"]:
                path.unlink()
        self.close()
        self._board = None  # a new one hides what was recorded after the checkpoint
        text = f"{reason}; back to {facts['examples']:,} examples with half the learning rates"
        event = {"kind": "rollback", "text": text, "trouble": True}
        self.record({"examples": facts["examples"], "event": [event]})
        return True

    def _put_back(self, tensors: dict[str, Tensor], facts: dict[str, Any], path: Path) -> None:
        """The game as a checkpoint has it; what was recorded after it is forgotten."""
        restore_game(tensors, self._gan, self._ema, path)
        self._gan.iteration, self._loader.position = facts["iteration"], facts["position"]
        self._recorder.restore(below(tensors, "pending"))
        self._run.forget_after(facts["examples"])
        forget_after(self._evaluations, facts["examples"])
        if self._referee:
            self._referee.restore(below(tensors, "referee"), self._run.lines())
        self._saved = facts["examples"]

    def save_due(self, before: int, seconds: float) -> dict[str, Any] | None:
        """Report, measure, draw and save whatever became due; the report, if there was one.

        Args:
            before: training examples seen before this iteration.
            seconds: trained so far.

        Raises:
            NonFiniteError: a loss or weight is no number; nothing of that was saved.
            RunError: something can't be written.
        """
        config, examples = self._config, self._examples

        def due(every: int | str) -> bool:
            size = len(self._dataset.train) if every == "epoch" else every
            over = examples >= config.examples
            return over or (isinstance(size, int) and before // size != examples // size)

        measure = bool(config.metrics) and due(config.metrics_every)
        picture, checkpoint = due(config.samples_every), due(config.checkpoint_every)
        # nothing is drawn, measured or saved without a report: it is what refuses weights that are no numbers
        report = due(config.report_every) or measure or picture or checkpoint
        line = self._report(measure, seconds) if report else None
        if picture:
            self.picture(examples)
        if checkpoint:
            self.checkpoint(examples, seconds)
        return line

    def save_unsaved(self, seconds: float) -> None:
        """A checkpoint of what the last one has not seen; the unfinished report goes into it.

        Raises:
            NonFiniteError: a loss or weight is no number; nothing was saved.
            RunError: something can't be written.
        """
        if self._examples > self._saved:
            with self._advising():
                self._recorder.refuse_non_finite(self._per_iteration)
            self.checkpoint(self._examples, seconds)

    def record(self, line: dict[str, Any]) -> None:
        """One line of metrics.jsonl, and the same for TensorBoard."""
        self._run.record(line)
        self._tensorboard().scalars(line["examples"], line)
        for event in line.get("event", []):
            self._tensorboard().text(line["examples"], f"referee/{event['kind']}", event["text"])

    def note(self, kind: str, text: str) -> None:
        """Record that something happened that is no trouble; the next report tells it, too."""
        event = {"kind": kind, "text": text, "trouble": False}
        self.record({"examples": self._examples, "event": [event]})
        self._untold.append(event)

    def picture(self, examples: int) -> None:
        """The fixed latents' samples, drawn as they are now."""
        image = progress_picture(self._sampler(examples), self._config, self._dataset, examples)
        save_picture(image, self._run.samples / f"{examples:010d}.png")
        self._tensorboard().picture(examples, np.asarray(image.convert("RGB")))

    def measure(self, examples: int, seconds: float) -> dict[str, Any]:
        """Every metric on validation data; the best by the first one is kept."""
        sampler = self._sampler(examples)
        results = measure_in_training(sampler, self._dataset, self._config.metrics, self._evaluations)
        for result in results:
            self._measured[result.name] = {"value": result.value, "protocol": result.protocol}
        if is_better(results[0], self._best):
            self._best = {"metric": results[0].name, "value": results[0].value, "examples": examples}
            self._save_checkpoint("best", examples, seconds)
            self._sampler(examples).save(self._run.directory / "generator-best.safetensors")
            write_text(self._run.checkpoints / "best.json", json.dumps(self._best) + "\n")
        return as_metrics(results)

    def checkpoint(self, examples: int, seconds: float) -> None:
        """The generator to use, then the checkpoint: killed in between, a run goes on from the one before."""
        self._sampler(examples).save(self._run.generator_file)
        self._save_checkpoint(f"{examples:010d}", examples, seconds)
        self._saved = examples
        newest = KEPT_FOR_ROLLBACK if self._config.on_trouble == "rollback" else NEWEST_KEPT
        self._run.prune(newest, self._config.keep_every)

    def advice(self) -> str:
        """What to do after training broke down."""
        files = self._run.checkpoint_files()
        kept = f"the last good checkpoint is {files[-1]}" if files else "no checkpoint had been saved yet"
        return f"{kept}; start a new run with a smaller learning rate or with --set penalties.r1.weight=1"

    def close(self) -> None:
        """Flush what is buffered."""
        if self._board:
            self._board.close()

    def _save_checkpoint(self, name: str, examples: int, seconds: float) -> None:
        facts = {
            "examples": examples,
            "iteration": self._gan.iteration,
            "position": self._loader.position,
            "seconds": seconds,
            "best": self._best,
            "measured": self._measured,
            "rate_factor": self.rate_factor,
            "micro_batch": self._gan.micro_batch,
            "start": self._start,
            "data": self._dataset.fingerprint,
        }
        path = self._run.checkpoints / f"{name}.safetensors"
        tensors = game_tensors(self._gan, self._ema)
        tensors |= {f"pending/{key}": values for key, values in self._recorder.pending().items()}
        if self._referee:
            tensors |= {f"referee/{key}": values for key, values in self._referee.state().items()}
        save_tensors(path, tensors, facts, "checkpoint")

    def _report(self, measure: bool, seconds: float) -> dict[str, Any]:
        """One line of metrics.jsonl, written."""
        with self._advising():
            line = self._recorder.report(self._examples, self._per_iteration, held_out=self._referee is None)
        line["seconds"] = seconds
        players = (self._gan.discriminator_optimizer, self._gan.generator_optimizer)
        for name, optimizer in zip(("discriminator", "generator"), players, strict=True):
            line[f"learning_rate/{name}"] = float(optimizer.param_groups[0]["lr"])
        if measure:
            line |= self.measure(self._examples, seconds)
        if self._referee:
            self._referee.judge(line, self._ema.generator, self._recorder.logits)
        self.record(line)
        untold, self._untold = self._untold, []
        return line | {"event": [*untold, *line.get("event", [])]} if untold else line

    @contextlib.contextmanager
    def _advising(self) -> Iterator[None]:
        try:
            yield
        except NonFiniteError as error:
            raise NonFiniteError(f"{error}; {self.advice()}") from None

    def _sampler(self, examples: int) -> Sampler:
        sampler = sampler_of(
            self._ema.generator, self._config, self._dataset, examples=examples, metrics=self._measured
        )
        if self._start is not None:
            sampler.facts["start"] = self._start
        return sampler

    def _tensorboard(self) -> TensorBoard:
        if self._board is None:
            self._board = TensorBoard(self._run.directory / "tensorboard", seen=self._saved)
        return self._board
