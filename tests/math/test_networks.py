"""The networks of 2014 by their counts, initial weights and dropout; the others by their shapes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from evenodds.networks.layers import Dropout, Maxout, Packed, bernoulli_mask
from evenodds.networks.mlp import Discriminator2014, Generator2014, MLPDiscriminator, MLPGenerator

MNIST = (1, 28, 28)
SHAPES = [(2,), MNIST, (3, 5, 7)]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def z_score(successes: int, trials: int, probability: float) -> float:
    return (successes - trials * probability) / math.sqrt(trials * probability * (1 - probability))


# ---- 2014


def test_parameter_counts_of_2014():
    assert count(Generator2014(latent_dim=100, sample_shape=MNIST)) == 2_503_984
    assert count(Discriminator2014(sample_shape=MNIST)) == 1_231_441


def test_marginal_bias():
    mean = torch.zeros(MNIST)
    mean[0, 10, 10], mean[0, 10, 11], mean[0, 10, 12] = 0.25, 1.0, 0.5
    bias = Generator2014(latent_dim=100, sample_shape=MNIST, data_mean=mean).output.bias.detach()
    assert bias[0].item() == pytest.approx(-16.118, abs=5e-4)  # log(1e-7 / (1 − 1e-7)), always black
    assert bias[10 * 28 + 10].item() == pytest.approx(math.log(1 / 3), abs=1e-6)
    assert bias[10 * 28 + 11].item() == pytest.approx(16.118, abs=5e-4)
    assert bias[10 * 28 + 12].item() == pytest.approx(0, abs=1e-6)


def test_the_first_samples_have_the_mean_ink():
    mean = torch.full(MNIST, 0.13)
    generator = Generator2014(latent_dim=100, sample_shape=MNIST, data_mean=mean, weight_range=1e-6)
    assert generator(torch.randn(5, 100)).detach() == pytest.approx(torch.full((5, *MNIST), 0.13), abs=1e-4)


def test_without_a_mean_the_output_bias_is_zero_and_samples_are_in_0_1():
    generator = Generator2014(latent_dim=100, sample_shape=MNIST)
    assert generator.output.bias.abs().max() == 0
    x = generator(20 * torch.randn(64, 100))
    assert 0 <= x.min() < 0.5 < x.max() <= 1


@pytest.mark.parametrize(
    ("network", "bound"),
    [
        (Generator2014(latent_dim=100, sample_shape=MNIST), 0.05),
        (Discriminator2014(sample_shape=MNIST), 0.005),
    ],
    ids=["generator", "discriminator"],
)
def test_initial_weights_are_uniform_in_the_range_of_2014(network, bound):
    for layer in (module for module in network.modules() if isinstance(module, nn.Linear)):
        weight = layer.weight.detach().double()
        assert weight.abs().max() <= bound * (1 + 1e-6)
        if weight.numel() > 1000:
            assert weight.abs().max() > 0.999 * bound
            assert weight.var().item() == pytest.approx(bound**2 / 3, rel=0.02)
        assert abs(weight.mean().item()) < 5 * bound / math.sqrt(3 * weight.numel())
        assert layer.bias.abs().max() == 0


def inputs_of_layers(network: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """What reaches each affine layer."""
    seen: list[torch.Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].detach()))
        for module in network.modules()
        if isinstance(module, nn.Linear)
    ]
    network(x)
    for hook in hooks:
        hook.remove()
    return seen


def test_dropout_stands_before_every_layer_also_the_last():
    discriminator = Discriminator2014(sample_shape=MNIST).train()
    seen = inputs_of_layers(discriminator, torch.ones(500, *MNIST))
    assert [part.shape[1] for part in seen] == [784, 240, 240]
    for part, drop in zip(seen, (0.2, 0.5, 0.5), strict=True):
        assert abs(z_score(int((part == 0).sum()), part.numel(), drop)) < 4.5
    assert seen[0][seen[0] != 0].unique().tolist() == [1.25]  # kept values are divided by 0.8


def test_kept_hidden_values_are_doubled():
    discriminator = Discriminator2014(sample_shape=MNIST, input_dropout=0.0)
    x = torch.rand(20, *MNIST)
    plain = inputs_of_layers(discriminator.eval(), x)[1]
    dropped = inputs_of_layers(discriminator.train(), x)[1]
    kept = dropped != 0
    assert 0.4 < kept.float().mean() < 0.6
    assert torch.equal(dropped[kept], 2 * plain[kept])


def test_evaluation_has_no_dropout_and_needs_no_rescaling():
    discriminator = Discriminator2014(sample_shape=MNIST).eval()
    x = torch.rand(20, *MNIST)
    assert torch.equal(discriminator(x), discriminator(x))
    assert torch.equal(inputs_of_layers(discriminator, x)[0], x.flatten(1))


def test_the_discriminator_of_2014_is_maxout_of_maxout():
    discriminator = Discriminator2014(sample_shape=(3,), units=4, pieces=5, weight_range=1.0).eval().double()
    first, second, last = (m for m in discriminator.modules() if isinstance(m, nn.Linear))
    x = torch.randn(6, 3).double()

    def maxout(h: torch.Tensor, layer: nn.Linear) -> torch.Tensor:
        affine = [[row @ w + b for w, b in zip(layer.weight, layer.bias, strict=True)] for row in h]
        return torch.tensor([[max(row[unit::4]) for unit in range(4)] for row in affine]).double()

    with torch.no_grad():
        expected = maxout(maxout(x, first), second) @ last.weight.T + last.bias
        assert discriminator(x) == pytest.approx(expected.squeeze(1), rel=1e-10)


# ---- layers


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_with_its_probability_and_scale(p):
    torch.manual_seed(1)
    dropped = Dropout(p).train()(torch.full((1000, 301), 3.0))
    kept = dropped != 0
    assert (dropped[kept] - 3 / (1 - p)).abs().max() < 1e-5
    if p == 0:
        assert kept.all()
    else:
        assert abs(z_score(int(kept.sum()), kept.numel(), 1 - p)) < 4.5


def test_dropout_values_are_independent():
    torch.manual_seed(2)
    kept = (Dropout(0.5).train()(torch.ones(2000, 64)) != 0).double()
    # four values come from one 64-bit draw: neighbours must not know of each other
    correlation = torch.corrcoef(kept.T) - torch.eye(64)
    assert correlation.abs().max() < 5.5 / math.sqrt(2000)
    counts = kept.sum(1)
    assert counts.var().item() == pytest.approx(16, rel=0.15)  # 64 · ¼
    assert not torch.equal(kept[0], kept[1])


@pytest.mark.parametrize("keep", [0.8, 0.5])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (2, 3, 4)])
def test_masks_of_any_shape(shape, keep):
    mask = bernoulli_mask(torch.zeros(shape, dtype=torch.float64), keep)
    assert mask.shape == shape
    assert mask.dtype == torch.float64
    assert ((mask == 0) | (mask == 1 / keep)).all()


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        Dropout(p)


@pytest.mark.parametrize(("features", "units", "pieces"), [(3, 4, 5), (1, 1, 1), (7, 2, 3)])
def test_maxout_is_the_largest_of_its_pieces(features, units, pieces):
    layer, x = Maxout(features, units, pieces).double(), torch.randn(6, features).double()
    weight, bias = layer.linear.weight.detach(), layer.linear.bias.detach()
    expected = torch.empty(6, units).double()
    for n in range(6):
        for unit in range(units):
            rows = [piece * units + unit for piece in range(pieces)]
            expected[n, unit] = max((weight[row] @ x[n] + bias[row]).item() for row in rows)
    assert layer(x).detach() == pytest.approx(expected, rel=1e-12)
    used = {piece * units + unit for piece in range(pieces) for unit in range(units)}
    assert used == set(range(len(weight)))  # each map belongs to one unit


def test_packs_join_neighbours_and_refuse_a_remainder():
    class FirstValues(nn.Module):
        def forward(self, x, y=None):
            self.seen = x
            return x.flatten(1)[:, 0]

    inner = FirstValues()
    x = torch.arange(4 * 2 * 3 * 3).view(4, 2, 3, 3).float()
    logits = Packed(inner, 2)(x)
    assert logits.shape == (2,)
    assert torch.equal(inner.seen[1], torch.cat([x[2], x[3]], 0))  # (m C, H, W)
    with pytest.raises(ValueError, match="a batch of 4 cannot be split into packs of 3"):
        Packed(inner, 3)(x)


# ---- MLP


@pytest.mark.parametrize("classes", [0, 4])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mlp_shapes(shape, classes):
    y = torch.arange(6) % classes if classes else None
    generator = MLPGenerator(latent_dim=9, sample_shape=shape, classes=classes)
    discriminator = MLPDiscriminator(sample_shape=shape, classes=classes)
    x = generator(torch.randn(6, 9), y)
    assert x.shape == (6, *shape)
    assert discriminator(x, y).shape == (6,)
    assert (generator.latent_dim, generator.sample_shape, generator.classes) == (9, shape, classes)
    features = math.prod(shape)
    assert count(generator) == (9 + classes) * 256 + 256 + 256 * 256 + 256 + 256 * features + features
    assert count(discriminator) == (features + classes) * 256 + 256 + 256 * 256 + 256 + 256 + 1


def test_labels_matter_and_only_through_their_one_hot():
    generator = MLPGenerator(latent_dim=3, sample_shape=(2,), classes=3)
    discriminator = MLPDiscriminator(sample_shape=(2,), classes=3)
    z = torch.randn(1, 3).expand(3, 3)
    x, y = torch.randn(1, 2).expand(3, 2), torch.arange(3)
    assert len({tuple(row.tolist()) for row in generator(z, y)}) == 3
    assert len(set(discriminator(x, y).tolist())) == 3
    permuted = generator(z, y.flip(0)).flip(0)
    assert permuted.detach() == pytest.approx(generator(z, y).detach(), rel=1e-6)


def naive_mlp(x: torch.Tensor, layers: list[nn.Linear], slope: float) -> torch.Tensor:
    for layer in layers[:-1]:
        h = x @ layer.weight.T + layer.bias
        x = torch.where(h > 0, h, slope * h)
    return x @ layers[-1].weight.T + layers[-1].bias


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_mlps_equal_their_layers_written_out(slope):
    generator = MLPGenerator(latent_dim=3, sample_shape=(1, 2, 2), widths=(5, 6), slope=slope).double()
    discriminator = MLPDiscriminator(sample_shape=(1, 2, 2), widths=(5, 6), slope=slope).double()
    z, x = torch.randn(7, 3).double(), torch.randn(7, 1, 2, 2).double()
    for network, value, found in ((generator, z, generator(z)), (discriminator, x, discriminator(x))):
        layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
        expected = naive_mlp(value.flatten(1), layers, slope).view_as(found)
        assert found.detach() == pytest.approx(expected.detach(), rel=1e-10)


@pytest.mark.parametrize(
    ("output", "low", "high"), [("tanh", -1, 1), ("sigmoid", 0, 1), ("linear", -math.inf, math.inf)]
)
def test_output_ranges(output, low, high):
    generator = MLPGenerator(latent_dim=3, sample_shape=(4,), output=output, weight_std=1.0)
    x = generator(torch.randn(500, 3))
    assert low <= x.min()
    assert x.max() <= high
    assert x.max() - x.min() > 0.99 * min(high - low, 2)
    with pytest.raises(ValueError, match="output must be one of linear, tanh, sigmoid, not 'relu'"):
        MLPGenerator(latent_dim=3, sample_shape=(4,), output="relu")


def test_weight_std():
    for network in (
        MLPGenerator(latent_dim=100, sample_shape=(50,), weight_std=0.02),
        MLPDiscriminator(sample_shape=(50,), weight_std=0.02),
    ):
        layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
        weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
        assert weights.std().item() == pytest.approx(0.02, rel=0.02)
        assert all(layer.bias.abs().max() == 0 for layer in layers)


def test_batch_norm_stands_before_each_activation_and_has_no_second_bias():
    generator = MLPGenerator(latent_dim=3, sample_shape=(2,), widths=(8, 8), batch_norm=True)
    seen = []
    for layer in generator.hidden:
        layer.register_forward_hook(lambda _, __, out: seen.append(out.detach()))
    generator.train()(5 + 3 * torch.randn(500, 3))
    for hidden in seen:
        assert hidden.mean(0).abs().max() < 1e-4
        assert hidden.var(0).sub(1).abs().max() < 0.02
    assert [layer[0].bias for layer in generator.hidden] == [None, None]


@pytest.mark.parametrize("maxout", [0, 3])
def test_mlp_discriminator_dropout(maxout):
    discriminator = MLPDiscriminator(
        sample_shape=(50,), widths=(40, 40), dropout=0.5, input_dropout=0.2, maxout=maxout
    ).train()
    seen = inputs_of_layers(discriminator, torch.ones(400, 50))
    for part, drop in zip(seen, (0.2, 0.5, 0.5), strict=True):
        assert abs(z_score(int((part == 0).sum()), part.numel(), drop)) < 4.5
    discriminator.eval()
    x = torch.randn(5, 50)
    assert torch.equal(discriminator(x), discriminator(x))
