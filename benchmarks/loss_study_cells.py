"""What loss_study.py compares: the data sets, and the configuration of every cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evenodds import Config
from evenodds.config import config_from
from evenodds.losses import LOSSES

PENALTIES: dict[str, dict[str, dict[str, float]]] = {
    "none": {},
    "R1": {"r1": {"weight": 1.0}},
    "R1 + R2": {"r1": {"weight": 1.0}, "r2": {"weight": 1.0}},
    "WGAN-GP": {"wgan_gp": {"weight": 10.0}},
    "weight clipping": {"weight_clip": {"bound": 0.01}},
}
CLIPPED = "wasserstein"  # the one loss that clipping was published for


@dataclass(frozen=True)
class Study:
    """One table: what all its cells share, and how its page calls that."""

    data: str  # name of the data set
    title: str  # as its authors write it
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    settings: dict[str, Any]  # of the configuration, beside the players
    players: str  # networks, optimizer and average in words
    recipe: str  # whose learning rates and betas these are
    result: str  # name of the result files

    @property
    def examples(self) -> int:
        """Length of every run."""
        length: int = self.settings["examples"]
        return length


def adam(rate: float, until: int = 0) -> dict[str, Any]:
    """Adam without momentum; the rate falls to a tenth over the second half of `until` examples."""
    half = {"begin": until // 2, "until": until}
    falling = {"name": "linear", "start": rate, "end": rate / 10, **half}
    return {"name": "adam", "learning_rate": falling if until else rate, "beta1": 0.0, "beta2": 0.99}


MLP = {"name": "mlp", "widths": [256, 256]}
DCGAN = {"name": "dcgan", "width": 32, "max_width": 128, "kernel": 4}
LENGTH = 96_000  # of a run on CIFAR-10
STUDIES = {
    "mnist": Study(
        data="mnist",
        title="MNIST",
        generator={"network": {**MLP, "output": "tanh"}, "optimizer": adam(5e-4)},
        discriminator={"network": MLP, "optimizer": adam(5e-4)},
        settings={"examples": 48_000, "ema_half_life": 3_000},
        players="MLPs with two layers of 256, Adam 5e-4 (β 0, 0.99) for both players, batches of 32, one D "
        "step per G step, averaged generator (half-life 3,000 examples)",
        recipe="gan-mnist",
        result="loss_study",
    ),
    "cifar10": Study(
        data="cifar10",
        title="CIFAR-10",
        generator={"network": {**DCGAN, "norm": "pixel"}, "optimizer": adam(1e-3, LENGTH)},
        discriminator={"network": {**DCGAN, "norm": "none"}, "optimizer": adam(1e-3, LENGTH)},
        settings={"examples": LENGTH, "ema_half_life": 5_000, "precision": "bfloat16"},
        players="DCGANs with 32, 64 and 128 channels and no labels, pixel normalization in G and none in D, "
        "Adam 1e-3 (β 0, 0.99) falling to a tenth over the second half for both players, batches of 32, one "
        "D step per G step, averaged generator (half-life 5,000 examples), bfloat16",
        recipe="dcgan-cifar10",
        result="loss_study_cifar10",
    ),
}


def cells() -> list[tuple[str, str]]:
    """(loss, penalty) of all cells, line by line."""
    return [
        (loss, penalty)
        for loss in LOSSES
        for penalty in PENALTIES
        if penalty != "weight clipping" or loss == CLIPPED
    ]


def config_of(study: Study, loss: str, penalty: str, seed: int) -> Config:
    """One cell: loss, penalties and seed are all that differs from the others."""
    return config_from(
        {
            "recipe": "loss-study",
            "data": {"name": study.data, "value_range": [-1, 1]},
            "generator": study.generator,
            "discriminator": study.discriminator,
            "prior": {"name": "normal", "dim": 64},
            "loss": loss,
            "penalties": PENALTIES[penalty],
            "batch_size": 32,
            "seed": seed,
            "device": "cpu",
            "threads": 1,
            "referee": False,
            "report_every": 16_000,
            "samples_every": "never",
            "checkpoint_every": 16_000,
            **study.settings,
        }
    )
