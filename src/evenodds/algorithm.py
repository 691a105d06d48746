"""Adversarial training as in Algorithm 1 of Goodfellow et al. (2014), "Generative Adversarial Nets".

for each iteration:
    k times: draw m latents and m examples; D ascends the gradient of  log D(x) + log(1 − D(G(z)))
    once:    draw m latents; G descends the gradient of                log(1 − D(G(z)))  (or another loss)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import starmap, zip_longest
from typing import NamedTuple

from torch import Tensor, cat, nn, no_grad, optim

from .latents import Prior
from .losses import AdversarialLoss
from .penalties import NONE, AnyPenalties, Penalties, Scored, due_for_d, due_for_g, exact, leaf

Stats = dict[str, Tensor]  # one value per example, detached; whoever records them takes the mean


class Batch(NamedTuple):
    """A minibatch."""

    x: Tensor  # (N, *sample_shape)
    y: Tensor | None = None  # (N,) class labels, None without


@dataclass
class GAN:
    """The two players, their optimizers and the rules of the game."""

    generator: nn.Module  # (z, y) -> x
    discriminator: nn.Module  # (x, y) -> logits (N,), the log odds that x is real
    generator_optimizer: optim.Optimizer
    discriminator_optimizer: optim.Optimizer
    prior: Prior  # n -> z, (n, L)
    loss: AdversarialLoss
    penalties: AnyPenalties = field(default_factory=dict)
    augment: Callable[[Tensor], Tensor] = field(default_factory=nn.Identity)
    critic_steps: int = 1  # the paper's k
    simultaneous: bool = False  # both players move at once, as in the code of 2014
    micro_batch: int | None = None  # examples per backward pass; None takes the whole minibatch in one
    iteration: int = 0


Losses = tuple[dict[optim.Optimizer, tuple[nn.Module, Tensor]], Stats]  # optimizer -> its player, mean loss
LossesOf = Callable[[GAN, Batch, Penalties], Losses]


def train_step(gan: GAN, batches: Iterator[Batch]) -> Stats:
    """One iteration of Algorithm 1; in a simultaneous game the last of the k steps moves both players."""
    stats: Stats = {}
    for k in range(gan.critic_steps):
        real = next(batches)
        due = due_for_d(gan.penalties, gan.iteration * gan.critic_steps + k)
        last = k == gan.critic_steps - 1
        stats |= descend(gan, both_losses if gan.simultaneous and last else discriminator_losses, real, due)
    if not gan.simultaneous:
        stats |= descend(gan, generator_losses, next(batches) if gan.loss.paired else real)
    gan.iteration += 1
    return stats


def discriminator_losses(gan: GAN, real: Batch, due: Penalties) -> Losses:
    """Teach D to tell real from generated, G held fixed."""
    with no_grad():
        fake = generate_like(gan, real)
    return discriminator_loss(gan, score(gan, real, due), score(gan, fake, due), due)


def generator_losses(gan: GAN, real: Batch, due: Penalties) -> Losses:
    """Teach G to be taken for real, D held fixed."""
    fake = score(gan, generate_like(gan, real)).logits
    with no_grad():
        reference = score(gan, real).logits if gan.loss.paired else fake
    loss = gan.loss.generator(reference, fake)
    stats, total = {"loss/generator": loss}, loss.mean()
    for name, penalty in due_for_g(gan.penalties, gan.iteration).items():
        z = gan.prior(len(real.x), device=real.x.device)
        stats[f"penalty/{name}"] = value = penalty.of_generator(gan.generator, z, real.y)
        total = total + penalty.weight * penalty.every * value.mean()
    return {gan.generator_optimizer: (gan.generator, total)}, stats


def both_losses(gan: GAN, real: Batch, due: Penalties) -> Losses:
    """Both players' losses from one pass of the same fakes through D, so from one dropout mask."""
    scored, fake = score(gan, real, due), score(gan, generate_like(gan, real))
    losses, stats = discriminator_loss(gan, scored, fake, due)
    loss = gan.loss.generator(scored.logits, fake.logits)
    return losses | {gan.generator_optimizer: (gan.generator, loss.mean())}, stats | {"loss/generator": loss}


def discriminator_loss(gan: GAN, real: Scored, fake: Scored, due: Penalties) -> Losses:
    """D's mean loss with the penalties that are due, and its parts."""
    loss = gan.loss.discriminator(real.logits, fake.logits)
    stats = {"loss/discriminator": loss, "logits/real": real.logits, "logits/fake": fake.logits}
    total = loss.mean()
    for name, penalty in due.items():
        if (value := penalty(gan.discriminator, real, fake)) is not None:
            total = total + penalty.weight * penalty.every * value.mean()
            stats[f"penalty/{name}"] = value
    return {gan.discriminator_optimizer: (gan.discriminator, total)}, stats


def generate_like(gan: GAN, real: Batch) -> Batch:
    """As many generated examples as real ones, with the same labels."""
    return Batch(gan.generator(gan.prior(len(real.x), device=real.x.device), real.y), real.y)


def score(gan: GAN, batch: Batch, due: Penalties = NONE) -> Scored:
    """D's logits.  D only ever sees augmented examples, real and generated alike."""
    with exact(batch.x.device, needed=bool(due)):
        x = leaf(batch.x) if due else batch.x
        return Scored(x, batch.y, gan.discriminator(gan.augment(x), batch.y))


def descend(gan: GAN, losses: LossesOf, batch: Batch, due: Penalties = NONE) -> Stats:
    """One optimizer step of each player that has a loss, on that loss alone; no other gradient is touched."""
    parts: list[Stats] = []
    for part in micro_batches(batch, gan.micro_batch or len(batch.x)):
        means, stats = losses(gan, part, due)
        for optimizer, (player, mean) in means.items():
            if not parts:
                optimizer.zero_grad()
            with exact(batch.x.device):  # the way back is rounded as the way there was, and not once more
                share = mean * (len(part.x) / len(batch.x))
                share.backward(inputs=list(player.parameters()), retain_graph=len(means) > 1)
        parts.append({name: value.detach() for name, value in stats.items()})
    for optimizer in means:
        optimizer.step()
    for penalty in due.values():
        penalty.project(gan.discriminator)
    return parts[0] if len(parts) == 1 else {name: cat([p[name] for p in parts]) for name in parts[0]}


def micro_batches(batch: Batch, size: int) -> Iterator[Batch]:
    """The minibatch in parts of at most `size` examples: a step then needs the memory of one part only."""
    yield from starmap(Batch, zip_longest(*(() if part is None else part.split(size) for part in batch)))
