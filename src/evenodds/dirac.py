"""The Dirac-GAN of Mescheder et al. (2018, section 2): the smallest game in which a method can fail.

The data is one point, 0; the generator has one weight, the point θ that it makes; the discriminator one, ψ,
with D(x) = c − ψx (these authors give generated examples the positive sign).  At (θ, ψ) = (0, 0) samples and
data are the same; the eigenvalues of the gradient field there decide whether the game comes to rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .algorithm import (
    GAN,
    Batch,
    both_losses,
    descend,
    discriminator_losses,
    generator_losses,
    train_step,
)
from .latents import Normal
from .losses import AdversarialLoss
from .penalties import Penalties

DATA = Batch(torch.zeros(1, 1, dtype=torch.float64))  # one example, the point 0
SCHEDULES: Mapping[str, int] = {"simultaneous": 1, "G, D": 1, "G, 5 D": 5}  # name -> updates of D
NO_PENALTIES: Penalties = {}
Point = tuple[float, float]  # θ, ψ
Field = Callable[[Tensor, Tensor], Tensor]  # (θ, ψ) -> (θ̇, ψ̇)


class DiracGenerator(nn.Module):
    """G(z) = θ."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L) to (N, 1)."""
        return self.theta.expand(len(z), 1)


class DiracDiscriminator(nn.Module):
    """D(x) = offset − ψx."""

    def __init__(self, psi: float, offset: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi, dtype=torch.float64))
        self.offset = offset

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, 1) to (N,)."""
        return self.offset - self.psi * x.squeeze(1)


class DiracGAN(NamedTuple):
    """A method, as it is played on one point.

    Args:
        loss: of both players.
        penalties: D's.
        offset: what D says of the data at the equilibrium; 0 where D's output is the log odds.
        step: the learning rate of both players.
    """

    loss: AdversarialLoss
    penalties: Penalties = NO_PENALTIES
    offset: float = 0.0
    step: float = 0.2

    def game(self, at: Point, *, simultaneous: bool = False) -> GAN:
        """The method as evenodds plays it, from (θ, ψ) = `at`."""
        generator, discriminator = DiracGenerator(at[0]), DiracDiscriminator(at[1], self.offset)
        return GAN(
            generator=generator,
            discriminator=discriminator,
            generator_optimizer=torch.optim.SGD(generator.parameters(), lr=self.step),
            discriminator_optimizer=torch.optim.SGD(discriminator.parameters(), lr=self.step),
            prior=Normal(dim=1),
            loss=self.loss,
            penalties=self.penalties,
            simultaneous=simultaneous,
        )

    def path(self, schedule: str, steps: int, start: Point = (1.0, 1.0)) -> list[Point]:
        """θ and ψ after every iteration from `start`; where the players take turns, G moves first.

        Args:
            schedule: a name in `SCHEDULES`.
            steps: iterations.
            start: (θ, ψ) before the first.
        """
        gan, points = self.game(start, simultaneous=schedule == "simultaneous"), []
        theta, psi = *gan.generator.parameters(), *gan.discriminator.parameters()
        for _ in range(steps):
            if gan.simultaneous:
                train_step(gan, itertools.repeat(DATA))
            else:
                descend(gan, generator_losses, DATA)
                for _ in range(SCHEDULES[schedule]):
                    descend(gan, discriminator_losses, DATA, self.penalties)
            points.append((theta.item(), psi.item()))
        return points

    def field(self, theta: Tensor, psi: Tensor) -> Tensor:
        """(θ̇, ψ̇) at a point, from both players' losses, (2,), differentiable in θ and ψ."""
        gan = self.game((0.0, 0.0))
        for module, name, value in ((gan.generator, "theta", theta), (gan.discriminator, "psi", psi)):
            delattr(module, name)  # a parameter's place takes no tensor that has a gradient of its own
            setattr(module, name, value)
        losses, _ = both_losses(gan, DATA, self.penalties)
        moved = ((losses[gan.generator_optimizer][1], theta), (losses[gan.discriminator_optimizer][1], psi))
        return -torch.stack(
            [
                torch.autograd.grad(loss, weight, create_graph=True, materialize_grads=True)[0]
                for loss, weight in moved
            ]
        )


def eigenvalues(field: Field) -> tuple[complex, ...]:
    """Of the derivative of a field at (0, 0), ordered by real, then imaginary part.

    All real parts below 0: the game converges; above 0: it leaves; at 0: it circles (Mescheder et al. 2018,
    section 3).

    Args:
        field: (θ, ψ) -> (2,), both float64 scalars.
    """
    theta, psi = (torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(2))
    rows = [
        torch.stack(torch.autograd.grad(component, (theta, psi), retain_graph=True, materialize_grads=True))
        if component.requires_grad
        else torch.zeros(2, dtype=torch.float64)
        for component in field(theta, psi)
    ]
    found = [complex(value) for value in torch.linalg.eigvals(torch.stack(rows)).tolist()]
    return tuple(sorted(found, key=lambda value: (round(value.real, 9), value.imag)))
