"""Generative Adversarial Nets (Goodfellow et al. 2014) in one file: `python examples/algorithm1.py`

A generator G turns noise z into numbers; a discriminator D says how likely a number is to be real.  They play

    min over G, max over D of  V(D, G) = E[log D(x)] + E[log(1 − D(G(z)))]

by Algorithm 1 below.  The best D for a given G is p_data / (p_data + p_g), and where p_g = p_data it can only
say ½ everywhere: V = −log 4 = −1.386.  D learns first and V rises; then G brings it down to −log 4, while its
histogram becomes that of the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus
from torch.optim import Adam, Optimizer

K = 1  # D's steps per step of G
M = 128  # examples per minibatch
ITERATIONS = 2_500
SATURATING = False  # True: G descends log(1 − D(G(z))) itself, which is flat while D is sure


def data(m: int) -> Tensor:
    """m examples (m, 1) of p_data: a quarter of them around −2, the others around 1."""
    centres = torch.where(torch.rand(m, 1) < 0.25, -2.0, 1.0)
    return centres + 0.4 * torch.randn(m, 1)


def noise(m: int) -> Tensor:
    """m latents (m, 4) of the prior p(z)."""
    return torch.randn(m, 4)


def network(inputs: int) -> nn.Sequential:
    """D ends in a logit, log D/(1 − D): log D and log(1 − D) can then be computed without overflow."""
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
    )


def iteration(
    G: nn.Module, D: nn.Module, G_optimizer: Optimizer, D_optimizer: Optimizer, data: Callable[[int], Tensor]
) -> None:
    """One iteration of Algorithm 1."""
    for _ in range(K):
        x = data(M)
        fake = G(noise(M)).detach()  # G stays as it is while D learns
        # D ascends log D(x) + log(1 − D(G(z))): descends −log D(x) = softplus(−logit), and so on
        loss = (softplus(-D(x)) + softplus(D(fake))).mean()
        D_optimizer.zero_grad()
        loss.backward()
        D_optimizer.step()
    fooled = D(G(noise(M)))
    loss = -softplus(fooled).mean() if SATURATING else softplus(-fooled).mean()
    G_optimizer.zero_grad()
    loss.backward()
    G_optimizer.step()


@torch.no_grad()
def value(G: nn.Module, D: nn.Module, m: int = 20_000) -> float:
    """V(D, G) in nats."""
    return float((logsigmoid(D(data(m))) + logsigmoid(-D(G(noise(m))))).mean())


def bars(x: Tensor) -> str:
    """A histogram over −4 … 3, one character per bin."""
    counts = torch.histc(x.detach(), bins=56, min=-4, max=3)
    return "".join(" ▁▂▃▄▅▆▇█"[int(8 * count / counts.max())] for count in counts)


def main() -> None:
    """Train, and print V against −log 4."""
    torch.set_num_threads(1)  # the fastest for networks this small
    torch.manual_seed(0)
    G, D = network(4), network(1)
    G_optimizer, D_optimizer = (Adam(player.parameters(), lr=2e-3, betas=(0.5, 0.999)) for player in (G, D))
    for step in range(ITERATIONS + 1):
        if step % 500 == 0:
            print(f"{step:5}  V(D, G) = {value(G, D):.3f}  {bars(G(noise(9999)))}")
        iteration(G, D, G_optimizer, D_optimizer, data)
    print(f" data    −log 4 = {-math.log(4):.3f}  {bars(data(9999))}")


if __name__ == "__main__":
    main()
