"""One iteration of Algorithm 1 against updates worked out by hand, and against what it must not touch."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn

from evenodds.algorithm import (
    GAN,
    Batch,
    descend,
    discriminator_losses,
    generator_losses,
    micro_batches,
    train_step,
)
from evenodds.losses import LOSSES, scaled
from evenodds.networks.layers import Dropout
from evenodds.penalties import PENALTIES, R1

DOUBLE = torch.float64
N, FEATURES, LATENT = 12, 3, 2
OF_D = [name for name, entry in PENALTIES.items() if not hasattr(entry, "of_generator")]
RATES = (0.3, 0.7)  # of G and D, different so that an exchange shows


class Player(nn.Module):
    """A G, or with one output squeezed a D, in float64."""

    def __init__(self, inputs: int, outputs: int, *, logits: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs)).to(DOUBLE)
        self.logits = logits

    def forward(self, x, y=None):
        out = self.layers(x.to(DOUBLE))
        return out.squeeze(1) if self.logits else out


class Tape:
    """A prior that says what it drew: the n-th call returns the n-th of a fixed list of latents."""

    dim = LATENT

    def __init__(self) -> None:
        self.drawn: list[torch.Tensor] = []
        self.source = torch.Generator().manual_seed(8)

    def __call__(self, n, generator=None, device="cpu"):
        self.drawn.append(torch.randn(n, LATENT, generator=self.source, dtype=DOUBLE))
        return self.drawn[-1]


class Batches:
    """An endless source that keeps what it gave."""

    def __init__(self, n: int = N) -> None:
        self.n, self.given, self.source = n, [], torch.Generator().manual_seed(9)

    def __iter__(self):
        return self

    def __next__(self) -> Batch:
        self.given.append(Batch(torch.randn(self.n, FEATURES, generator=self.source, dtype=DOUBLE) + 1))
        return self.given[-1]


def players() -> tuple[nn.Module, nn.Module]:
    return Player(LATENT, FEATURES, logits=False), Player(FEATURES, 1, logits=True)


def game(loss="non_saturating", networks=None, **options) -> GAN:
    generator, discriminator = networks or players()
    return GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=torch.optim.SGD(generator.parameters(), lr=RATES[0]),
        discriminator_optimizer=torch.optim.SGD(discriminator.parameters(), lr=RATES[1]),
        prior=options.pop("prior", None) or Tape(),
        loss=LOSSES[loss] if isinstance(loss, str) else loss,
        **options,
    )


def weights(*networks: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for network in networks for p in network.parameters()])


def move(network: nn.Module, loss: torch.Tensor, rate: float) -> None:
    """One step of gradient descent, by hand."""
    gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    with torch.no_grad():
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter -= rate * gradient


def copies(gan: GAN) -> tuple[nn.Module, nn.Module]:
    return copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_alternation_by_hand(name, k):
    """k steps of D, each on its own real batch and latents; then G sees the D that they made."""
    gan, batches = game(name, critic_steps=k), Batches()
    g, d = copies(gan)
    loss = gan.loss
    for _ in range(3):
        gan.prior.drawn.clear()
        batches.given.clear()
        train_step(gan, batches)
        real, z = batches.given, gan.prior.drawn
        assert len(real) == k + loss.paired  # a paired generator's loss draws real examples of its own
        assert len(z) == k + 1
        for i in range(k):
            move(d, loss.discriminator(d(real[i].x), d(g(z[i]).detach())).mean(), RATES[1])
        fake = d(g(z[k]))
        reference = d(real[k].x).detach() if loss.paired else fake
        move(g, loss.generator(reference, fake).mean(), RATES[0])
        assert weights(gan.generator, gan.discriminator) == pytest.approx(weights(g, d), rel=1e-12, abs=1e-14)
    assert gan.iteration == 3


@pytest.mark.parametrize("name", LOSSES)
def test_simultaneous_by_hand(name):
    """Both gradients are taken at the old weights, from the same fakes."""
    gan, batches = game(name, simultaneous=True), Batches()
    g, d = copies(gan)
    for _ in range(3):
        gan.prior.drawn.clear()
        batches.given.clear()
        train_step(gan, batches)
        [real], [z] = batches.given, gan.prior.drawn
        real_logits, fake_logits = d(real.x), d(g(z))
        of_d = gan.loss.discriminator(real_logits, fake_logits).mean()
        of_g = gan.loss.generator(real_logits, fake_logits).mean()
        gradients = torch.autograd.grad(of_d, list(d.parameters()), retain_graph=True)
        move(g, of_g, RATES[0])
        with torch.no_grad():
            for parameter, gradient in zip(d.parameters(), gradients, strict=True):
                parameter -= RATES[1] * gradient
        assert weights(gan.generator, gan.discriminator) == pytest.approx(weights(g, d), rel=1e-12, abs=1e-14)


def test_simultaneous_with_k_moves_both_only_in_the_last_of_the_k_steps():
    gan, batches = game("minimax", simultaneous=True, critic_steps=3), Batches()
    g, d = copies(gan)
    train_step(gan, batches)
    real, z = batches.given, gan.prior.drawn
    assert (len(real), len(z)) == (3, 3)
    for i in range(2):
        move(d, gan.loss.discriminator(d(real[i].x), d(g(z[i]).detach())).mean(), RATES[1])
    real_logits, fake_logits = d(real[2].x), d(g(z[2]))
    gradients = torch.autograd.grad(
        gan.loss.discriminator(real_logits, fake_logits).mean(), list(d.parameters()), retain_graph=True
    )
    move(g, gan.loss.generator(real_logits, fake_logits).mean(), RATES[0])
    with torch.no_grad():
        for parameter, gradient in zip(d.parameters(), gradients, strict=True):
            parameter -= RATES[1] * gradient
    assert weights(gan.generator, gan.discriminator) == pytest.approx(weights(g, d), rel=1e-12, abs=1e-14)


def test_simultaneous_and_alternating_games_differ():
    after = []
    for simultaneous in (False, True):
        torch.manual_seed(0)
        gan = game(simultaneous=simultaneous)
        train_step(gan, Batches())
        after.append(weights(gan.generator))
    assert not torch.allclose(after[0], after[1])


class Spy(nn.Module):
    """A D with dropout that keeps every pass: its input and its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.last = Dropout(0.5), nn.Linear(FEATURES, 1, dtype=DOUBLE)
        self.passes: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, x, y=None):
        logits = self.last(self.drop(x)).squeeze(1)
        self.passes.append((x.detach().clone(), logits.detach().clone()))
        return logits


def test_a_simultaneous_step_passes_the_fakes_through_d_once_so_under_one_dropout_mask():
    spy = Spy()
    gan = game("non_saturating", networks=(players()[0], spy), simultaneous=True)
    stats = train_step(gan, Batches())
    assert len(spy.passes) == 2  # real, fake
    (_, real), (_, fake) = spy.passes
    assert torch.equal(stats["logits/fake"], fake)
    assert torch.equal(stats["loss/generator"], gan.loss.generator(real, fake))
    assert torch.equal(stats["loss/discriminator"], gan.loss.discriminator(real, fake))


def test_an_alternating_step_draws_fakes_and_a_mask_for_each_player():
    spy = Spy()
    train_step(game(networks=(players()[0], spy)), Batches())
    assert len(spy.passes) == 3  # real, fake for D; fake for G
    assert not torch.equal(spy.passes[1][0], spy.passes[2][0])


@pytest.mark.parametrize("losses", [discriminator_losses, generator_losses])
def test_a_player_touches_neither_weights_nor_gradients_of_the_other(losses):
    gan, [batch] = game(penalties={"r1": R1()}), itertools.islice(Batches(), 1)
    moves_d = losses is discriminator_losses
    mover, other = (gan.discriminator, gan.generator) if moves_d else (gan.generator, gan.discriminator)
    marks = [torch.full_like(p, 7.0) for p in other.parameters()]
    for parameter, mark in zip(other.parameters(), marks, strict=True):
        parameter.grad = mark
    before = weights(other), weights(mover)
    descend(gan, losses, batch, gan.penalties if moves_d else {})
    assert torch.equal(weights(other), before[0])
    assert not torch.equal(weights(mover), before[1])
    for parameter, mark in zip(other.parameters(), marks, strict=True):
        assert parameter.grad is mark
        assert (mark == 7).all()
    assert all(parameter.requires_grad for parameter in (*mover.parameters(), *other.parameters()))


def test_gradients_left_over_from_before_do_not_count():
    one, other = game(), game()
    other.generator.load_state_dict(one.generator.state_dict())
    other.discriminator.load_state_dict(one.discriminator.state_dict())
    for parameter in (*other.generator.parameters(), *other.discriminator.parameters()):
        parameter.grad = torch.full_like(parameter, 1e3)
    for gan in (one, other):
        train_step(gan, Batches())
    assert torch.equal(
        weights(one.generator, one.discriminator), weights(other.generator, other.discriminator)
    )


class Cut:
    """The latents of a whole minibatch, handed out in order however small the parts asked for are."""

    dim = LATENT

    def __init__(self) -> None:
        self.z, self.at = (
            torch.randn(6 * N, LATENT, generator=torch.Generator().manual_seed(1), dtype=DOUBLE),
            0,
        )

    def __call__(self, n, generator=None, device="cpu"):
        self.at += n
        return self.z[self.at - n : self.at]


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("size", [1, 5, N, 1000])
@pytest.mark.parametrize("name", LOSSES)
def test_micro_batches_equal_the_whole_minibatch(name, size, simultaneous):
    torch.manual_seed(3)
    networks = players()
    results = []
    for micro_batch in (None, size):
        gan = game(
            name,
            networks=tuple(copy.deepcopy(network) for network in networks),
            prior=Cut(),
            micro_batch=micro_batch,
            simultaneous=simultaneous,
            critic_steps=2,
            penalties={"r1": R1(weight=0.3)},
        )
        stats = [train_step(gan, batches) for batches in [Batches()] for _ in range(2)]
        results.append((weights(gan.generator, gan.discriminator), stats))
    (whole, stats), (parts, stats_of_parts) = results
    assert parts == pytest.approx(whole, rel=1e-12, abs=1e-12)
    for one, other in zip(stats, stats_of_parts, strict=True):
        assert list(one) == list(other)
        for key, value in one.items():
            assert value.shape == (N,)
            assert other[key] == pytest.approx(value, rel=1e-12, abs=1e-12), key


def test_micro_batches_are_the_minibatch_cut_in_order():
    batch = Batch(torch.arange(7.0)[:, None], torch.arange(7))
    parts = list(micro_batches(batch, 3))
    assert [len(part.x) for part in parts] == [3, 3, 1]
    assert torch.equal(torch.cat([part.x for part in parts]), batch.x)
    assert torch.equal(torch.cat([part.y for part in parts]), batch.y)
    assert [part.y for part in micro_batches(Batch(batch.x), 4)] == [None, None]


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("name", OF_D)
def test_stats_are_detached_values_per_example(name, simultaneous):
    gan = game(penalties={name: PENALTIES[name]()}, simultaneous=simultaneous)
    stats = train_step(gan, Batches())
    expected = {"loss/discriminator", "logits/real", "logits/fake", "loss/generator"}
    if name != "weight_clip":  # a constraint is no term
        expected |= {f"penalty/{name}"}
    assert set(stats) == expected
    for value in stats.values():
        assert value.shape == (N,)
        assert not value.requires_grad


def test_a_lazy_penalty_stands_in_the_stats_only_when_it_is_due():
    gan, batches = game(penalties={"r1": R1(every=3)}), Batches()
    assert ["penalty/r1" in train_step(gan, batches) for _ in range(7)] == [True, False, False] * 2 + [True]


def test_scaling_d_halves_its_step_and_leaves_g():
    torch.manual_seed(4)
    networks, moved = players(), []
    for factor in (1.0, 0.5):
        loss = scaled(LOSSES["non_saturating"], discriminator=factor)
        gan = game(loss, networks=tuple(copy.deepcopy(n) for n in networks), simultaneous=True)
        before = weights(gan.generator), weights(gan.discriminator)
        train_step(gan, Batches())
        moved.append((weights(gan.generator) - before[0], weights(gan.discriminator) - before[1]))
    assert moved[1][0] == pytest.approx(moved[0][0], rel=1e-12, abs=1e-16)
    assert moved[1][1] == pytest.approx(moved[0][1] / 2, rel=1e-9, abs=1e-15)


def test_the_augmentation_stands_before_all_that_d_sees_and_nothing_else():
    seen = []

    class Keep(Player):
        def forward(self, x, y=None):
            seen.append(x.detach().clone())
            return super().forward(x, y)

    gan, batches = (
        game(networks=(players()[0], Keep(FEATURES, 1, logits=True)), augment=lambda x: x + 100),
        Batches(),
    )
    train_step(gan, batches)
    assert len(seen) == 3
    assert all(x.min() > 50 for x in seen)
    assert torch.equal(seen[0], batches.given[0].x + 100)
    assert batches.given[0].x.abs().max() < 50


def test_labels_go_to_both_players_and_fakes_take_those_of_the_real_batch():
    seen = []

    class Labelled(Player):
        def forward(self, x, y=None):
            seen.append(("D" if self.logits else "G", y))
            return super().forward(x, y)

    networks = Labelled(LATENT, FEATURES, logits=False), Labelled(FEATURES, 1, logits=True)
    y = torch.arange(N) % 3
    train_step(game(networks=networks), itertools.repeat(Batch(torch.randn(N, FEATURES, dtype=DOUBLE), y)))
    assert [who for who, _ in seen] == ["G", "D", "D", "G", "D"]
    assert all(torch.equal(labels, y) for _, labels in seen)


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("name", OF_D)
def test_the_callers_batch_is_left_as_it_was(name, simultaneous):
    batch = Batch(torch.randn(N, FEATURES, dtype=DOUBLE))
    before = batch.x.clone()
    gan = game(penalties={name: PENALTIES[name]()}, simultaneous=simultaneous)
    train_step(gan, itertools.repeat(batch))
    assert torch.equal(batch.x, before)
    assert not batch.x.requires_grad
    assert batch.x.grad is None


def test_a_finished_source_is_not_hidden():
    with pytest.raises(StopIteration):
        train_step(game(critic_steps=2), iter([next(Batches())]))
