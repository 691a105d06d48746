"""Networks of one's own are any two modules: `python examples/custom_network.py`

G is `(z, y) -> x` with the attributes latent_dim, sample_shape and classes; D is `(x, y) -> logits (N,)`.
Here G bends with sines, D is a small residual network, and the data is a circle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam

from evenodds.algorithm import GAN, Batch, train_step
from evenodds.latents import Uniform
from evenodds.losses import LOSSES
from evenodds.penalties import R1

WIDTH = 64


class SineGenerator(nn.Module):
    """x = A h + b with h = u + sin(W u) and u an affine map of z."""

    def __init__(self, *, latent_dim: int, sample_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape, self.classes = latent_dim, sample_shape, 0
        self.enter, self.middle = nn.Linear(latent_dim, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.leave = nn.Linear(WIDTH, math.prod(sample_shape))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L) -> (N, *sample_shape)."""
        u = self.enter(z)
        x: Tensor = self.leave(u + self.middle(u).sin())
        return x.view(len(z), *self.sample_shape)


class ResidualDiscriminator(nn.Module):
    """The log odds that x is real, from two residual layers."""

    def __init__(self, *, sample_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.enter = nn.Linear(math.prod(sample_shape), WIDTH)
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
        self.leave = nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, *sample_shape) -> logits (N,)."""
        h = self.enter(x.flatten(1))
        for layer in self.layers:
            h = h + layer(nn.functional.leaky_relu(h, 0.2))
        logits: Tensor = self.leave(h)
        return logits.squeeze(1)


def batches() -> Iterator[Batch]:
    """The data: a circle of radius 1, a little blurred."""
    while True:
        angle = 2 * math.pi * torch.rand(128, 1)
        yield Batch(torch.cat([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(128, 2))


def play(iterations: int) -> Tensor:
    """Samples (10,000, 2) after so many iterations of Algorithm 1."""
    torch.manual_seed(0)
    generator = SineGenerator(latent_dim=2, sample_shape=(2,))
    discriminator = ResidualDiscriminator(sample_shape=(2,))
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.99)),
        discriminator_optimizer=Adam(discriminator.parameters(), lr=1e-3, betas=(0.0, 0.99)),
        prior=Uniform(dim=2),
        loss=LOSSES["non_saturating"],
        penalties={"r1": R1(weight=0.1)},
    )
    data = batches()
    for _ in range(iterations):
        train_step(gan, data)
    with torch.no_grad():
        samples: Tensor = generator(gan.prior(10_000))
    return samples


if __name__ == "__main__":
    torch.set_num_threads(1)  # the fastest for networks this small
    found = play(2000).norm(dim=1)
    print(f"samples lie {found.mean():.2f} ± {found.std():.2f} from the centre; the data 1.00 ± 0.05")
