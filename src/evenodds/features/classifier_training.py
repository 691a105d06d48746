"""Training the classifiers that features come from: one seed, one recipe, minutes on one CPU core.

The recipe is that of Jordan (2024), section 3, at a smaller scale: whitening filters that are computed, not
learnt; convolutions that begin as the identity; batch normalization without scales (Ioffe & Szegedy 2015);
SGD with Nesterov's momentum, rates that rise and fall linearly, and labels smoothed (Szegedy et al. 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .classifiers import SHAPES, Block, Classifier, Shape

LOGIT_SCALE = 1 / 9  # of the last map while training: Jordan (2024), section 3.1
WHITENED = 5_000  # images that the whitening filters are computed from
FLOOR = 5e-4  # added to the variances of patches, so that what hardly varies isn't blown up


@dataclass(frozen=True)
class Cycle:
    """Epochs over which the learning rate rises once and falls to 0.

    Args:
        epochs: passes over the training images.
        rise: fraction of the updates over which it rises.
        rate: its largest value, for the weights; a fifth of it at the beginning.
        shift: largest shift of the images in pixels, at random in both directions.
    """

    epochs: int
    rise: float
    rate: float = 0.375
    shift: int = 2


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained.

    Args:
        cycles: one after the other; a second one begins from what the first has learnt (Loshchilov & Hutter
            2017).
        batch: images of an update.
        bias_factor: how much larger the rate of the biases is, which have no scales beside them.
        momentum: Nesterov's.
        decay: of the weights.
        smoothing: of the labels, shared among all classes.
        mirror: whether every image is shown mirrored in every second epoch.
        seed: of weights, order and shifts.
        version: of all of the above, raised when anything changes.
    """

    cycles: tuple[Cycle, ...]
    batch: int = 256
    bias_factor: float = 16.0
    momentum: float = 0.85
    decay: float = 1.2e-3
    smoothing: float = 0.2
    mirror: bool = False
    seed: int = 0
    version: int = 1

    @property
    def epochs(self) -> int:
        """In all."""
        return sum(cycle.epochs for cycle in self.cycles)

    def at(self, epochs: float) -> tuple[Cycle, float]:
        """The cycle in which so many epochs are done, and how many of them within it."""
        for cycle in self.cycles[:-1]:
            if epochs < cycle.epochs:
                return cycle, epochs
            epochs -= cycle.epochs
        return self.cycles[-1], epochs


# Nothing was tuned on validation images, and cifar10's test images are not entirely unseen: shorter trainings
# of a smaller network had got 87.4, 89.5 and 89.7 % of them right before this one, the fourth.
RECIPES = {
    "mnist": Recipe((Cycle(5, 1 / 4),)),
    "cifar10": Recipe((Cycle(24, 1 / 6, shift=4),), mirror=True),
}


class Progress(NamedTuple):
    """After an update: updates done and in all, and the mean loss of the last ones."""

    step: int
    steps: int
    loss: float


class Training:
    """A classifier on its way, and all that is needed to go on with it after an interruption.

    Args:
        name: of the classifier, a key of SHAPES.
        x: (N, C, H, W) uint8 training images.
        y: (N,) int64 labels.
        recipe: how; that of RECIPES if None.
    """

    def __init__(self, name: str, x: Tensor, y: Tensor, recipe: Recipe | None = None) -> None:
        self.shape, self.recipe = SHAPES[name], recipe or RECIPES[name]
        self.x, self.y, self.epoch = x, y, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            self.network = Classifier(self.shape, _norm)
        _begin_as_identity(self.network)
        _whiten(self.network.whiten, x[:WHITENED].float() / 255)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        learnt = [weight for weight in self.network.parameters() if weight.requires_grad]
        biases = [weight for weight in learnt if weight.ndim == 1]
        self.optimizer = torch.optim.SGD(
            [{"params": [weight for weight in learnt if weight.ndim > 1]}, {"params": biases}],
            lr=1.0,
            momentum=self.recipe.momentum,
            nesterov=True,
        )

    @property
    def updates(self) -> int:
        """Of an epoch: what is left over after the last whole batch is left out, another part every time."""
        return len(self.x) // self.recipe.batch

    def run_epoch(self, report: Callable[[Progress], None]) -> None:
        """One pass over the training images, in an order and with shifts that depend on seed and epoch."""
        recipe = self.recipe
        random = torch.Generator().manual_seed(1_000_003 * recipe.seed + self.epoch)
        order = torch.randperm(len(self.x), generator=random)
        # mirrored are the one half of the images in even epochs, the other in odd ones
        mirrored = (torch.arange(len(self.x)) % 2 + self.epoch) % 2 == 0 if recipe.mirror else None
        self.network.train()
        for update in range(self.updates):
            chosen = order[update * recipe.batch : (update + 1) * recipe.batch]
            x = shifted(self.x[chosen], recipe.at(self.epoch)[0].shift, random)
            if mirrored is not None:
                x = torch.where(mirrored[chosen][:, None, None, None], x.flip(3), x)
            step = self.epoch * self.updates + update
            loss = self._update(x.float() / 255, self.y[chosen], step)
            report(Progress(step + 1, recipe.epochs * self.updates, loss))
        self.epoch += 1

    def state(self) -> dict[str, Tensor]:
        """All that changes while training, to be saved after an epoch."""
        state = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for number, weight in enumerate(self._learnt()):
            if (momentum := self.optimizer.state[weight].get("momentum_buffer")) is not None:
                state[f"momentum.{number}"] = momentum
        return {"epoch": torch.tensor(self.epoch)} | {key: value.contiguous() for key, value in state.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`.

        Raises:
            KeyError, RuntimeError: it is of another training.
        """
        prefix = "network."
        self.network.load_state_dict(
            {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        )
        for number, weight in enumerate(self._learnt()):
            momentum = torch.empty_like(weight).copy_(state[f"momentum.{number}"])  # in the weight's layout
            self.optimizer.state[weight]["momentum_buffer"] = momentum
        self.epoch = int(state["epoch"])

    def _learnt(self) -> list[nn.Parameter]:
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]

    def _update(self, x: Tensor, y: Tensor, step: int) -> float:
        rate = scheduled(step / self.updates, self.recipe)
        # a decay that goes with the rate of the weights, for the biases too
        for group, factor in zip(self.optimizer.param_groups, (1.0, self.recipe.bias_factor), strict=True):
            group["lr"], group["weight_decay"] = rate * factor, self.recipe.decay / factor
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(x.contiguous(memory_format=torch.channels_last)) * LOGIT_SCALE
            loss = functional.cross_entropy(logits, y, label_smoothing=self.recipe.smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def scheduled(epochs: float, recipe: Recipe) -> float:
    """The learning rate when so many epochs, whole or not, are done."""
    cycle, inside = recipe.at(epochs)
    done = inside / cycle.epochs
    if done < cycle.rise:
        return cycle.rate * (0.2 + 0.8 * done / cycle.rise)
    return cycle.rate * (1 - done) / (1 - cycle.rise)


def shifted(x: Tensor, most: int, random: torch.Generator) -> Tensor:
    """Every image moved by up to `most` pixels in either direction; what enters is reflected.

    Args:
        x: (N, C, H, W) uint8.
        most: pixels.
        random: draws the shifts.
    """
    size = x.shape[-1]
    padded = functional.pad(x.float(), (most,) * 4, mode="reflect")
    rows, columns = torch.randint(0, 2 * most + 1, (2, len(x), 1, 1, 1), generator=random)
    pixels = torch.arange(size)
    padded = padded.gather(2, (rows + pixels[:, None]).expand(-1, x.shape[1], -1, padded.shape[3]))
    return padded.gather(3, (columns + pixels).expand(-1, x.shape[1], size, -1))


def _norm(width: int) -> nn.Module:
    """Batch normalization with a bias but no scale: what is positive stays so, so that it can be folded."""
    norm = nn.BatchNorm2d(width, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm


def _begin_as_identity(network: Classifier) -> None:
    """Convolutions pass their first channels on, and the others are as random as PyTorch makes them."""
    for block in network.blocks:
        assert isinstance(block, Block)
        for convolution in (block.first, block.second):
            passed = min(convolution.in_channels, convolution.out_channels)
            nn.init.dirac_(convolution.weight.data[:passed])


def _whiten(convolution: nn.Conv2d, x: Tensor) -> None:
    """Filters whose outputs on the patches of x are uncorrelated, of mean 0 and variance 1; fixed.

    The eigenvectors of the patches' covariance over the square roots of its eigenvalues, each with either
    sign, since the activation after them keeps little of what is negative: Jordan (2024), section 3.2.
    """
    patches = functional.unfold(x, 2).transpose(1, 2).flatten(0, 1).double()  # (N · places, 4 C)
    mean = patches.mean(0)
    eigenvalues, eigenvectors = torch.linalg.eigh(torch.cov(patches.T))
    filters = (eigenvectors / (eigenvalues + FLOOR).sqrt()).T
    # a sign that doesn't depend on the linear algebra library
    filters = filters * filters.gather(1, filters.abs().argmax(1, keepdim=True)).sign()
    both = torch.cat([filters, -filters])
    convolution.weight.data.copy_(both.view_as(convolution.weight))
    assert convolution.bias is not None
    convolution.bias.data.copy_(-both @ mean)
    convolution.requires_grad_(False)


def folded(network: Classifier, shape: Shape) -> Classifier:
    """The same function without normalization: its scale and shift have entered the convolutions.

    The maximum between a convolution and its normalization changes nothing, since every scale is positive.
    """
    plain = Classifier(shape)
    plain.whiten.load_state_dict(network.whiten.state_dict())
    plain.last.weight.data.copy_(network.last.weight * LOGIT_SCALE)
    for block, other in zip(plain.blocks, network.blocks, strict=True):
        assert isinstance(block, Block)
        assert isinstance(other, Block)
        for name in ("first", "second"):
            norm = getattr(other, f"{name}_norm")
            scale = (norm.running_var + norm.eps).rsqrt()
            convolution = getattr(block, name)
            convolution.weight.data.copy_(getattr(other, name).weight * scale[:, None, None, None])
            convolution.bias.data.copy_(norm.bias - norm.running_mean * scale)
    return plain.eval().requires_grad_(False)
