"""The network: names and shapes of the published file, its peculiarities, and the fast path against it."""

from __future__ import annotations

import pytest
import torch
from inception_weights import random_network, smooth
from torch import nn

from evenodds.features.fast import Conv, FastInception, folded, rounded
from evenodds.features.inception import fast_type
from evenodds.features.inception_network import ConvNorm, InceptionNetwork, mean_pool

PARAMETERS = 23_850_960
# Of the published file, whose 566 entries take 95,628,359 bytes with the archive around them.
SHAPES = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Conv2d_2b_3x3.bn.running_var": (64,),
    "Conv2d_3b_1x1.conv.weight": (80, 64, 1, 1),
    "Conv2d_4a_3x3.conv.weight": (192, 80, 3, 3),
    "Mixed_5b.branch1x1.bn.running_mean": (64,),
    "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
    "Mixed_5d.branch_pool.conv.weight": (64, 288, 1, 1),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
    "Mixed_6c.branch7x7dbl_4.conv.weight": (160, 160, 7, 1),
    "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
    "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
    "Mixed_7b.branch3x3dbl_1.conv.weight": (448, 1280, 1, 1),
    "Mixed_7c.branch3x3_2a.conv.weight": (384, 384, 1, 3),
    "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch_pool.bn.bias": (192,),
    "fc.weight": (1008, 2048),
    "fc.bias": (1008,),
}


@pytest.fixture(scope="module")
def images():
    return smooth(2, seed=1)


@pytest.fixture(scope="module")
def eager(images):
    """The features, and what every part of the network read and gave."""
    seen = {}
    network = random_network()
    hooks = [
        module.register_forward_hook(
            lambda _, inputs, output, name=name: seen.update({name: (inputs[0], output)})
        )
        for name, module in network.named_modules()
        if name
    ]
    with torch.inference_mode():
        features = network(images)
    for hook in hooks:
        hook.remove()
    return features, seen


def test_names_shapes_and_number_of_parameters():
    network = InceptionNetwork()
    state = network.state_dict()
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS
    assert len(state) == 566
    assert {name: tuple(state[name].shape) for name in SHAPES} == SHAPES
    content = sum(value.numel() * value.element_size() for value in state.values())
    assert 0 < 95_628_359 - content < 566 * 250  # the archive adds name, header and padding of each


def test_every_map_has_the_papers_size(eager):
    sizes = {name: tuple(eager[1][name][1].shape[1:]) for name in eager[1]}
    expected = {
        "Conv2d_1a_3x3": (32, 149, 149),
        "Conv2d_2a_3x3": (32, 147, 147),
        "Conv2d_2b_3x3": (64, 147, 147),
        "Conv2d_3b_1x1": (80, 73, 73),
        "Conv2d_4a_3x3": (192, 71, 71),
        "Mixed_5b": (256, 35, 35),
        "Mixed_5d": (288, 35, 35),
        "Mixed_6a": (768, 17, 17),
        "Mixed_6e": (768, 17, 17),
        "Mixed_7a": (1280, 8, 8),
        "Mixed_7c": (2048, 8, 8),
    }
    assert {name: sizes[name] for name in expected} == expected
    assert eager[0].shape == (2, 2048)


def neighbours(x: torch.Tensor, row: int, column: int) -> torch.Tensor:
    """(N, C, up to 9): the 3×3 around a place, without what lies outside."""
    return x[:, :, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].flatten(2)


@pytest.mark.parametrize("block", ["5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b"])
def test_averages_leave_the_padding_out(eager, block):
    entering, pooled = eager[1][f"Mixed_{block}"][0], eager[1][f"Mixed_{block}.branch_pool"][0]
    for row, column in ((0, 0), (0, 3), (5, 7)):
        expected = neighbours(entering, row, column).mean(2)
        assert torch.allclose(pooled[:, :, row, column], expected, atol=1e-5)


def test_the_last_block_takes_the_maximum(eager):
    entering, pooled = eager[1]["Mixed_7c"][0], eager[1]["Mixed_7c.branch_pool"][0]
    for row, column in ((0, 0), (0, 3), (5, 6)):
        assert torch.equal(pooled[:, :, row, column], neighbours(entering, row, column).amax(2))


def test_normalization_is_the_papers_with_its_epsilon(eager):
    layer = random_network().Conv2d_1a_3x3
    entering, leaving = eager[1]["Conv2d_1a_3x3"]
    place = (entering[1, :, 20:23, 40:43].double() * layer.conv.weight[5].double()).sum()
    norm = layer.bn
    scale = norm.weight[5].double() / (norm.running_var[5].double() + 0.001).sqrt()
    expected = ((place - norm.running_mean[5].double()) * scale + norm.bias[5].double()).clamp(min=0)
    assert abs(leaving[1, 5, 10, 20].double() - expected) < 1e-5


def test_features_are_means_and_logits_have_no_bias(eager):
    features, seen = eager
    assert torch.allclose(features, seen["Mixed_7c"][1].flatten(2).mean(2), atol=1e-6)
    network = random_network()
    assert torch.allclose(network.logits(features), features @ network.fc.weight.T, atol=1e-5)
    assert network.logits(torch.zeros(1, 2048)).abs().max() == 0


def test_the_fast_path_in_float32_is_the_same_function(eager, images):
    with torch.inference_mode():
        fast = FastInception(random_network(), torch.float32)(images)
    assert eager[0].std(0).median() > 0.01 * eager[0].median()  # features depend on the image
    assert (fast - eager[0]).abs().max() < 2e-5 * eager[0].abs().max()


@pytest.mark.skipif(fast_type(torch.device("cpu")) == torch.float32, reason="bfloat16 is not faster here")
def test_the_fast_path_in_bfloat16_differs_by_its_rounding(eager, images):
    with torch.inference_mode():
        fast = FastInception(random_network(), torch.bfloat16)(images)
    error = (fast - eager[0]).norm() / eager[0].norm()
    assert 1e-4 < error < 0.03  # of 8 bits through 48 layers
    assert fast.dtype == torch.float32


@pytest.mark.skipif(fast_type(torch.device("cpu")) == torch.float32, reason="bfloat16 is not faster here")
def test_what_rounded_weights_take_is_given_back():
    """Features of images with detail; in flat ones the rounding of activations outweighs that of weights."""
    network = random_network()
    fast, random = FastInception(network, torch.bfloat16), torch.Generator().manual_seed(1)
    images = torch.rand(6, 3, 32, 32, generator=random) * 2 - 1
    images = nn.functional.interpolate(images, (299, 299), mode="bilinear")
    with torch.inference_mode():
        activations, missing = fast.body(fast.stem((images, None)))
        rounded_features = activations.mean((2, 3), dtype=torch.float32)
        taken = network(images) - rounded_features
        given = fast(images) - rounded_features - missing  # nothing but other roundings of smaller batches
    assert given.norm() < 0.3 * (taken - missing).norm()
    assert (taken - missing).norm() < 0.8 * taken.norm()
    assert 0.6 < float((taken * missing).sum() / missing.square().sum()) < 1.1


@pytest.mark.skipif(fast_type(torch.device("cpu")) == torch.float32, reason="bfloat16 is not faster here")
def test_one_convolution_is_missing_what_its_weights_lost():
    """Without a ReLU and where images are constant it is exact, but for the rounding of what is computed."""
    torch.manual_seed(0)
    layer = ConvNorm(32, 16, 1).eval()
    x = torch.rand(4, 32, 1, 1).bfloat16().expand(-1, -1, 10, 10).contiguous()
    before = torch.randn(4, 32)
    convolution = Conv(layer, dtype=torch.bfloat16, relu=False)
    with torch.inference_mode():
        y, missing = convolution((x, before))
        exact, kept = (folded([layer])[0][:, :, 0, 0], convolution.weight[:, :, 0, 0].double())
        lost = x[:, :, 0, 0].double() @ (exact - kept).T + before.double() @ exact.T
    assert missing.double() == pytest.approx(lost.numpy(), abs=1e-5)
    assert y.dtype == torch.bfloat16
    assert y.shape == (4, 16, 10, 10)
    alone, nothing = Conv(layer, dtype=torch.float32)((x.float(), None))
    assert nothing is None
    assert (alone >= 0).all()


def test_errors_of_rounded_weights_cancel():
    weight = torch.randn(16, 12, 3, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    diffused, nearest = (w.double() for w in (rounded(weight, torch.bfloat16), weight.to(torch.bfloat16)))
    step = 2.0**-7 * weight.abs()  # bfloat16's, at most
    assert ((diffused - weight).abs() <= step + 2.0**-7).all()
    sums = [(w - weight).flatten(1).sum(1).abs().mean() for w in (diffused, nearest)]
    assert 0 < sums[0] < 0.3 * sums[1]
    assert torch.equal(rounded(weight, torch.float32), weight.float())


def test_means_of_neighbours_of_ones_are_ones():
    assert torch.equal(mean_pool(torch.ones(1, 2, 5, 4)), torch.ones(1, 2, 5, 4))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_the_same_function(eager, images):
    dtype = fast_type(torch.device("cuda"))
    with torch.inference_mode():
        fast = FastInception(random_network(), dtype).cuda()(images.cuda()).cpu()
    assert (fast - eager[0]).norm() < 0.03 * eager[0].norm()
