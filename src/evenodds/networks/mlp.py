"""Multilayer perceptrons: the networks of Goodfellow et al. (2014), and plain ones for vectors and images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from .layers import Dropout, Maxout, flat_size, one_hot, uniform_init


class Generator2014(nn.Module):
    """ReLU, ReLU, sigmoid: the MNIST generator of the 2014 code.

    The output bias starts at the "marginal bias", logit(mean of each value over the training data), so the
    first samples already have the right mean ink; without `data_mean` it starts at 0.

    Args:
        latent_dim: length L of z.
        sample_shape: of one sample; values in [0, 1].
        width: hidden units of both layers.
        weight_range: weights start as U(−weight_range, weight_range).
        data_mean: (*sample_shape) mean of the training data in [0, 1], given by whoever builds the network.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        sample_shape: tuple[int, ...],
        width: int = 1200,
        weight_range: float = 0.05,
        data_mean: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape, self.classes = latent_dim, sample_shape, 0
        self.hidden1 = nn.Linear(latent_dim, width)
        self.hidden2 = nn.Linear(width, width)
        self.output = nn.Linear(width, flat_size(sample_shape))
        for linear in (self.hidden1, self.hidden2, self.output):
            uniform_init(linear, weight_range)
        if data_mean is not None:
            marginal = data_mean.detach().double().flatten().clamp(1e-7, 1 - 1e-7)
            self.output.bias = nn.Parameter(marginal.logit().float())

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L) -> (N, *sample_shape) in [0, 1]."""
        hidden = relu(self.hidden2(relu(self.hidden1(z))))
        logits: Tensor = self.output(hidden)
        return logits.sigmoid().view(len(z), *self.sample_shape)


class Discriminator2014(nn.Module):
    """Two maxout layers under dropout: the MNIST discriminator of the 2014 code.

    Dropout stands on the *input* of every layer: p = 0.2 on the image, 0.5 before the second maxout layer and
    before the output unit.

    Args:
        sample_shape: of one sample.
        units: maxout units per layer.
        pieces: affine maps per unit.
        input_dropout: probability that an input value is dropped.
        hidden_dropout: probability that a hidden unit is dropped.
        weight_range: weights start as U(−weight_range, weight_range).
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        units: int = 240,
        pieces: int = 5,
        input_dropout: float = 0.2,
        hidden_dropout: float = 0.5,
        weight_range: float = 0.005,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            Dropout(input_dropout),
            Maxout(flat_size(sample_shape), units, pieces),
            Dropout(hidden_dropout),
            Maxout(units, units, pieces),
            Dropout(hidden_dropout),
            nn.Linear(units, 1),
        )
        for module in self.layers.modules():
            if isinstance(module, nn.Linear):
                uniform_init(module, weight_range)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, *sample_shape) -> logits (N,)."""
        logits: Tensor = self.layers(x)
        return logits.squeeze(1)


OUTPUTS = {"linear": nn.Identity, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
# a generator without kinks has a density without steps
SMOOTH = {"elu": nn.ELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class MLPGenerator(nn.Module):
    """Linear layers with leaky ReLU, for samples of any shape; a label joins z as a one-hot vector.

    Args:
        latent_dim: length L of z.
        sample_shape: of one sample.
        classes: number of labels K, 0 for none.
        widths: hidden units, layer by layer.
        slope: of the leaky ReLU below 0; 0 is ReLU.
        activation: "leaky_relu", or "elu", "silu" or "tanh", which have no kink.
        batch_norm: batch normalization before each activation (Ioffe and Szegedy 2015).
        output: "tanh" for data in [−1, 1], "sigmoid" for [0, 1], "linear" for vectors.
        weight_std: standard deviation of the initial weights; None keeps PyTorch's own initialization.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        widths: Sequence[int] = (256, 256),
        slope: float = 0.2,
        activation: str = "leaky_relu",
        batch_norm: bool = False,
        output: str = "linear",
        weight_std: float | None = None,
    ) -> None:
        super().__init__()
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, not {output!r}")
        self.latent_dim, self.sample_shape, self.classes = latent_dim, sample_shape, classes
        self.hidden = nn.ModuleList()
        for fan_in, width in zip((latent_dim + classes, *widths), widths, strict=False):
            # a bias before batch norm would be subtracted again at once
            norm = nn.BatchNorm1d(width) if batch_norm else nn.Identity()
            self.hidden.append(nn.Sequential(nn.Linear(fan_in, width, bias=not batch_norm), norm))
        self.last = nn.Linear(widths[-1], flat_size(sample_shape))
        self.activation, self.output = _activation(activation, slope), OUTPUTS[output]()
        _normal_init(self, weight_std)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L), (N,) -> (N, *sample_shape)."""
        hidden = torch.cat([z, one_hot(y, self.classes)], 1) if self.classes and y is not None else z
        for layer in self.hidden:
            hidden = self.activation(layer(hidden))
        x: Tensor = self.output(self.last(hidden))
        return x.view(len(z), *self.sample_shape)


class MLPDiscriminator(nn.Module):
    """Linear layers with leaky ReLU and dropout; a label joins the flattened sample as a one-hot vector.

    Args:
        sample_shape: of one sample.
        classes: number of labels K, 0 for none.
        widths: hidden units, layer by layer.
        slope: of the leaky ReLU below 0.
        activation: "leaky_relu", or "elu", "silu" or "tanh", which have no kink.
        dropout: probability that a hidden unit is dropped.
        input_dropout: probability that an input value is dropped.
        maxout: pieces per hidden unit; 0 for the activation.
        weight_std: standard deviation of the initial weights; None keeps PyTorch's own initialization.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        widths: Sequence[int] = (256, 256),
        slope: float = 0.2,
        activation: str = "leaky_relu",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        maxout: int = 0,
        weight_std: float | None = None,
    ) -> None:
        super().__init__()
        self.classes = classes
        layers: list[nn.Module] = [Dropout(input_dropout)] if input_dropout else []
        for fan_in, width in zip((flat_size(sample_shape) + classes, *widths), widths, strict=False):
            layers += [Maxout(fan_in, width, maxout)] if maxout else [nn.Linear(fan_in, width)]
            layers += [] if maxout else [_activation(activation, slope)]
            layers += [Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))
        _normal_init(self, weight_std)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, *sample_shape), (N,) -> logits (N,)."""
        x = x.flatten(1)
        if self.classes and y is not None:
            x = torch.cat([x, one_hot(y, self.classes)], 1)
        logits: Tensor = self.layers(x)
        return logits.squeeze(1)


def _activation(name: str, slope: float) -> nn.Module:
    if name not in ("leaky_relu", *SMOOTH):
        raise ValueError(f"activation must be one of leaky_relu, {', '.join(SMOOTH)}, not {name!r}")
    return SMOOTH[name]() if name in SMOOTH else nn.LeakyReLU(slope)


@torch.no_grad()
def _normal_init(network: nn.Module, std: float | None) -> None:
    """Weights N(0, std²), biases 0; nothing where std is None."""
    if std is None:
        return
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.weight.normal_(0, std)
            if module.bias is not None:
                module.bias.zero_()
