"""A loss of one's own is two functions: `python examples/custom_loss.py`

Here the f-GAN for Pearson's χ² (Nowozin et al. 2016, table 2): D maximises E[T(x)] − E[T(G(z))²/4 + T(G(z))],
whose maximum over T is the χ² divergence of the data from the samples.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Adam

from evenodds.algorithm import GAN, Batch, train_step
from evenodds.latents import Normal
from evenodds.losses import AdversarialLoss
from evenodds.networks.mlp import MLPDiscriminator, MLPGenerator


def pearson_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """T(G(z))²/4 + T(G(z)) − T(x), one value per example, (N,)."""
    return fake.square() / 4 + fake - real


def pearson_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−T(G(z)): G goes where T is high, as in the paper's section 3.2."""
    return -fake


pearson = AdversarialLoss(discriminator=pearson_discriminator, generator=pearson_generator)


def batches() -> Iterator[Batch]:
    """The data: N(3, ½²)."""
    while True:
        yield Batch(3 + 0.5 * torch.randn(128, 1))


def play(iterations: int) -> Tensor:
    """Samples (10,000, 1) after so many iterations of Algorithm 1."""
    torch.manual_seed(0)
    generator = MLPGenerator(latent_dim=2, sample_shape=(1,), widths=(32, 32))
    discriminator = MLPDiscriminator(sample_shape=(1,), widths=(32, 32))
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.99)),
        discriminator_optimizer=Adam(discriminator.parameters(), lr=2e-3, betas=(0.0, 0.99)),
        prior=Normal(dim=2),
        loss=pearson,
    )
    data = batches()
    for _ in range(iterations):
        train_step(gan, data)
    with torch.no_grad():
        samples: Tensor = generator(gan.prior(10_000))
    return samples


if __name__ == "__main__":
    torch.set_num_threads(1)  # the fastest for networks this small
    found = play(1500)
    print(f"samples have mean {found.mean():.2f} and deviation {found.std():.2f}; the data 3.00 and 0.50")
