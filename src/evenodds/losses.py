"""Adversarial losses: what each player minimises, as functions of the discriminator's logits.

A logit is an unbounded score; sigmoid(logit) is the paper's D(x), and the logit itself the log odds
log D/(1 − D).  Every function takes `(real, fake)` in that order, each of shape (N,), and returns one
loss per example, (N,), in nats where the loss is a logarithm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import relu, softplus

PairLoss = Callable[[Tensor, Tensor], Tensor]


class AdversarialLoss(NamedTuple):
    """The two sides of one adversarial game.

    Args:
        discriminator: what D minimises, `(real, fake) -> (N,)`.
        generator: what G minimises, `(real, fake) -> (N,)`.
        paired: True if the generator's loss also looks at the real logits.
    """

    discriminator: PairLoss
    generator: PairLoss
    paired: bool = False


def minimax_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """−[log D(x) + log(1 − D(G(z)))], Goodfellow et al. (2014), Eq. 1."""
    return softplus(-real) + softplus(fake)


def minimax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 − D(G(z))), the generator's half of Eq. 1 (2014); saturates while D is confident."""
    return -softplus(fake)


def non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(G(z)), same fixed point, stronger early gradients; Goodfellow et al. (2014), section 3."""
    return softplus(-fake)


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """f(G(z)) − f(x), Arjovsky et al. (2017), Eq. 2 and Algorithm 1: the critic's score, no probability."""
    return fake - real


def wasserstein_generator(real: Tensor, fake: Tensor) -> Tensor:
    """−f(G(z)), Arjovsky et al. (2017), Algorithm 1."""
    return -fake


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))), Lim and Ye (2017); Miyato et al. (2018), Eq. 16."""
    return relu(1 - real) + relu(1 + fake)


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """½ (D(x) − 1)² + ½ D(G(z))², Mao et al. (2017), Eq. 9."""
    return ((real - 1).square() + fake.square()) / 2


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """½ (D(G(z)) − 1)², Mao et al. (2017), Eq. 9."""
    return (fake - 1).square() / 2


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 + exp(−(D(x) − D(G(z))))), Jolicoeur-Martineau (2019), section 4.1, pairing by batch position."""
    return softplus(fake - real)


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 + exp(D(x) − D(G(z)))), Jolicoeur-Martineau (2019), section 4.1."""
    return softplus(real - fake)


LOSSES: dict[str, AdversarialLoss] = {
    "minimax": AdversarialLoss(minimax_discriminator, minimax_generator),
    "non_saturating": AdversarialLoss(minimax_discriminator, non_saturating_generator),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, wasserstein_generator),
    "hinge": AdversarialLoss(hinge_discriminator, wasserstein_generator),
    "least_squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator, paired=True),
}


def scaled(loss: AdversarialLoss, *, discriminator: float = 1.0, generator: float = 1.0) -> AdversarialLoss:
    """The same game with each side's loss multiplied by a constant.

    The 2014 code averages D's two terms, `discriminator=0.5`, which halves D's step against G's.
    """
    return AdversarialLoss(
        discriminator=lambda real, fake: discriminator * loss.discriminator(real, fake),
        generator=lambda real, fake: generator * loss.generator(real, fake),
        paired=loss.paired,
    )
