"""A game on a known density: played, looked at, drawn live, and made into a movie and four stills."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from ..build import build_gan
from ..components import build
from ..config import Config
from ..data.dataset import Dataset
from ..data.loader import loader_of
from ..data.sources import DATASETS
from ..drawing.figure1 import Score, as_png, draw_figure1, from_png, side_by_side
from ..drawing.samples import save_picture
from ..errors import RunError
from ..files import write_text
from ..report.movie import save_movie
from ..run import resolve_device
from ..trainer import Progress, Session, training
from .look import Look, look
from .page import write_last_page, write_live_page
from .stills import Candidate, Still, stills
from .target import checked_target

FRAMES = 100  # of the movie
WARP = 2.0  # frame i comes at the share (i / FRAMES)^WARP of the training: most happens at its beginning
LIVE_S = 1.0  # between two live pictures, at least
LIVE_SHARE = 0.1  # of the time goes into live pictures, at most
PROBABILITIES = ("minimax", "non_saturating")  # the losses that train D's score to be log odds
MOVIE_S = 10.0
SHOWN = ("movie", "last picture", "four stills")  # on the page, in this order


class Lab:
    """One game of the lab, in a run directory of its own.

    Args:
        config: of the game, see `lab_config`.
        directory: of the run; new or empty.
        minutes: after which training ends, if it has not ended before; None for no limit.
        dataset: examples already in memory, instead of what `config.data` names.

    Raises:
        ConfigError, DataError: the game can't be built or drawn.
        RunError: the directory holds a run already.
    """

    def __init__(
        self, config: Config, directory: Path, *, minutes: float | None = None, dataset: Dataset | None = None
    ) -> None:
        self.config, self.minutes = config, minutes
        self.settle(directory)
        self.dataset = dataset or build("data set", DATASETS, config.data)
        self.target = checked_target(config, self.dataset)
        _refuse_unplayable(config, self.dataset)
        self.scores: list[Score] = []  # one per frame of the movie
        self.session: Session | None = None
        self._frames: list[bytes] = []
        self._last: Look | None = None
        self._candidate = Candidate()
        self._began = self._next_live = 0.0

    def settle(self, directory: Path) -> None:
        """Play in this directory; before anything was played.

        Raises:
            RunError: it holds a run already.
        """
        if (directory / "config.yaml").exists():
            raise RunError(f"{directory} holds a run already; give a new --out")
        self.directory = directory
        self.page, self.picture = directory / "figure1.html", directory / "figure1.png"

    def play(self) -> Iterator[tuple[Progress, Score | None]]:
        """Train, look and draw; a score comes with every picture.  Leaving the loop early saves a checkpoint.

        Raises:
            as `training`, and NonFiniteError where a look finds something that is no number.
        """
        self._began = time.perf_counter()
        progress: Progress | None = None
        for progress in training(self.config, self.directory, dataset=self.dataset):
            self.session = progress.session
            yield progress, self._looked(progress.examples)
            if self._elapsed() >= 1:
                break

    def finish(self, *, movie: bool = True) -> dict[str, Path]:
        """Draw the end, the stills and the movie; name -> file.

        Raises:
            RunError: nothing was played yet, or a file can't be written.
        """
        if self.session is None:
            raise RunError(f"{self.directory} has seen no example, so there is nothing to draw; play longer")
        last = self._last
        if last is None or last.score.examples != self.session.examples:
            last = self._frame(self.session.examples)
        written: dict[str, Path] = {}
        if movie:
            frames = [from_png(frame) for frame in self._frames]
            written["movie"] = save_movie(self.directory / "figure1", frames, seconds=MOVIE_S)
        written |= {"last picture": self.picture, **self._write_stills(last)}
        shown = {name: path for name, path in written.items() if name in SHOWN}
        write_last_page(self.page, self.title, shown)
        return {**written, "page": self.page}

    @property
    def title(self) -> str:
        """What is played."""
        name = self.config.data["name"].replace("_", " ")
        return f"{name} · {self.config.loss['name'].replace('_', '-')} loss"

    def _looked(self, examples: int) -> Score | None:
        """A frame where one is due, else perhaps a live picture."""
        assert self.session is not None
        share = max(examples / self.config.examples, self._elapsed())
        if share >= (len(self._frames) / FRAMES) ** WARP:
            return self._frame(examples).score
        now = time.perf_counter()
        if now < self._next_live:
            return None
        seen = self._look(examples)
        self._show(seen, [*self.scores, seen.score], now)
        return seen.score

    def _frame(self, examples: int) -> Look:
        """One more picture for the movie, and one more point of the curves."""
        now = time.perf_counter()
        seen = self._last = self._look(examples)
        assert self.session is not None
        if not self.scores:
            write_live_page(self.page, self.title)
        self._candidate.offer(self.session.gan, seen)
        self.scores.append(seen.score)
        lines = [json.dumps({**score._asdict(), "gap": score.gap}) + "\n" for score in self.scores]
        write_text(self.directory / "figure1.jsonl", "".join(lines))
        self._frames.append(as_png(self._show(seen, self.scores, now)))
        return seen

    def _look(self, examples: int) -> Look:
        assert self.session is not None
        gan = self.session.gan
        return look(
            gan.generator, gan.discriminator, gan.prior, self.target, examples=examples,
            seed=self.config.seed, probability=self.config.loss["name"] in PROBABILITIES,
        )  # fmt: skip

    def _show(self, seen: Look, scores: list[Score], began: float) -> Image.Image:
        """Draw, and put the picture where the page finds it."""
        caption = f"{seen.score.examples:,} examples seen · JSD of data and generator {seen.jsd:.3f} nats"
        if self.config.loss["name"] not in PROBABILITIES:
            caption += " · D read out of its score"
        until = 0 if self.minutes is not None else self.config.examples
        picture = draw_figure1(seen.scene, title=self.title, caption=caption, scores=scores, until=until)
        save_picture(picture, self.picture)
        now = time.perf_counter()
        self._next_live = now + max(LIVE_S, (now - began) / LIVE_SHARE)
        return picture

    def _write_stills(self, last: Look) -> dict[str, Path]:
        assert self.session is not None
        assert self._candidate.pair is not None
        made = stills(self.session.gan, self._candidate.pair, last, self.target, seed=self.config.seed)
        pictures = [_drawn(still) for still in made]
        files = {f"still ({still.name})": self.directory / f"figure1-{still.name}.png" for still in made}
        files["four stills"] = self.directory / "figure1-stills.png"
        for picture, path in zip([*pictures, side_by_side(pictures, 2)], files.values(), strict=True):
            save_picture(picture, path)
        return files

    def _elapsed(self) -> float:
        """Share of the minutes that are over; 0 without a limit."""
        if self.minutes is None:
            return 0.0
        return (time.perf_counter() - self._began) / (60 * self.minutes)


def _refuse_unplayable(config: Config, dataset: Dataset) -> None:
    """Build everything once, so that what can't be built is refused before there is a directory.

    Raises:
        ConfigError, DataError: it can't be built.
    """
    resolve_device(config.device)
    loader_of(dataset.train, config, dataset.value_range)
    with torch.random.fork_rng(devices=[]):
        build_gan(config, dataset, torch.device("cpu"))


def _drawn(still: Still) -> Image.Image:
    return draw_figure1(still.scene, title=still.title, caption=still.caption)
