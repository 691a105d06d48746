"""What every component has to keep to, over every table: a new line in a table gets these tests."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import itertools
import json
import re
import typing

import pytest
import torch
from tiny_networks import TINY
from torch import nn

from evenodds.algorithm import GAN, Batch, train_step
from evenodds.latents import PRIORS, Normal
from evenodds.losses import LOSSES, AdversarialLoss
from evenodds.networks import DISCRIMINATORS, GENERATORS
from evenodds.penalties import PENALTIES, Scored
from evenodds.schedules import SCHEDULES

CONSTRUCTED = {
    f"{kind} {name}": entry
    for kind, table in {
        "penalty": PENALTIES,
        "prior": PRIORS,
        "schedule": SCHEDULES,
        "generator": GENERATORS,
        "discriminator": DISCRIMINATORS,
    }.items()
    for name, entry in table.items()
}
DATACLASSES = {name: entry for name, entry in CONSTRUCTED.items() if dataclasses.is_dataclass(entry)}
NETWORKS = {name: entry for name, entry in CONSTRUCTED.items() if issubclass(entry, nn.Module)}
# A network may be for images only, or for vectors only; it has to be for one of these.
SHAPES = [(2,), (1, 28, 28), (3, 32, 32), (4, 9, 18)]
LATENT, N = 6, 4


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(2014)
    yield
    torch.set_num_threads(threads)


def make(network: type[nn.Module], shape: tuple[int, ...], classes: int = 0) -> nn.Module:
    """With what every network is offered and its signature asks for."""
    offered = {"latent_dim": LATENT, "sample_shape": shape, "classes": classes}
    options = next((TINY[name] for name in TINY if CONSTRUCTED[name] is network), {})
    given = {name: offered[name] for name in inspect.signature(network).parameters if name in offered}
    return network(**given, **options)


def shapes_of(network: type[nn.Module]) -> list[tuple[int, ...]]:
    """The shapes that it takes; the others it refuses as a ValueError."""
    taken = []
    for shape in SHAPES:
        with contextlib.suppress(ValueError):
            make(network, shape)
            taken.append(shape)
    assert taken
    return taken


def inputs(network: nn.Module, shape: tuple[int, ...], n: int = N) -> torch.Tensor:
    """Latents for a generator, samples in [0, 1] for a discriminator."""
    return torch.randn(n, LATENT) if hasattr(network, "latent_dim") else torch.rand(n, *shape)


def networks(table: dict[str, type[nn.Module]]) -> list:
    """Every entry at every shape that it takes."""
    cases = [(name, shape) for name, entry in table.items() for shape in shapes_of(entry)]
    return [pytest.param(table[name], shape, id=f"{name}-{shape}") for name, shape in cases]


every_network = pytest.mark.parametrize(("network", "shape"), networks(NETWORKS))
every_generator = pytest.mark.parametrize(("network", "shape"), networks(GENERATORS))
every_discriminator = pytest.mark.parametrize(("network", "shape"), networks(DISCRIMINATORS))


# ---- constructors


@pytest.mark.parametrize("name", [*CONSTRUCTED, *LOSSES])
def test_names_are_lower_case_words(name):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name.split(" ")[-1])


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_the_signature_is_the_schema(name):
    """Keyword-only, typed, and with defaults that a configuration file can hold."""
    entry = CONSTRUCTED[name]
    hints = typing.get_type_hints(entry.__init__)
    for parameter in inspect.signature(entry).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY, parameter
        assert parameter.name in hints, f"{parameter.name} has no type"
        if parameter.default is not parameter.empty:
            json.dumps(parameter.default)


@pytest.mark.parametrize("name", DATACLASSES)
def test_options_are_stored_under_their_names_and_can_not_be_changed(name):
    entry = DATACLASSES[name]
    given = {}
    for i, parameter in enumerate(inspect.signature(entry).parameters.values()):
        given[parameter.name] = 1000 + i if parameter.annotation in (int, "int") else 0.5 + i / 8
    made = entry(**given)
    assert {option: getattr(made, option) for option in given} == given
    assert made == entry(**given)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, next(iter(given)), 1)


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_unknown_options_are_refused(name):
    with pytest.raises(TypeError, match="no_such_option"):
        CONSTRUCTED[name](no_such_option=1)


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_is_described_in_one_sentence_and_option_by_option(name):
    text = inspect.getdoc(CONSTRUCTED[name]) or ""
    first = text.split("\n\n")[0].replace("\n", " ")
    assert first.endswith(".")
    assert not first.startswith(CONSTRUCTED[name].__name__ + "(")  # the signature that dataclass writes
    if CONSTRUCTED[name] in NETWORKS.values():
        documented = set(re.findall(r"^    (\w+):", text.partition("Args:")[2], re.MULTILINE))
        assert documented == set(inspect.signature(CONSTRUCTED[name]).parameters)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_pairs_of_documented_functions_without_reduction(name):
    loss = LOSSES[name]
    assert isinstance(loss, AdversarialLoss)
    real, fake = torch.randn(7), torch.randn(7)
    for function in (loss.discriminator, loss.generator):
        assert list(inspect.signature(function).parameters) == ["real", "fake"]
        assert re.search(r"\(\d{4}\)", inspect.getdoc(function) or ""), "cites no paper"
        value = function(real, fake)
        assert value.shape == (7,)
        one_by_one = torch.cat([function(r, f) for r, f in zip(real.split(1), fake.split(1), strict=True)])
        assert torch.equal(value, one_by_one)


@pytest.mark.parametrize("name", PRIORS)
def test_priors(name):
    prior = PRIORS[name](dim=3)
    z = prior(5)
    assert prior.dim == 3
    assert (z.shape, z.dtype) == ((5, 3), torch.float32)
    assert prior(2, device=torch.device("meta")).device.type == "meta"
    # the first draws of a longer batch need not be the same, but a batch of one has to work
    assert prior(1).shape == (1, 3)


# ---- networks


@every_network
def test_output_shape_and_type(network, shape):
    made = make(network, shape)
    out = made(inputs(made, shape), None)
    assert out.shape == ((N, *shape) if network in GENERATORS.values() else (N,))
    assert out.dtype == torch.float32
    assert out.isfinite().all()


@every_generator
def test_generators_say_what_they_are(network, shape):
    made = make(network, shape)
    assert (made.latent_dim, tuple(made.sample_shape), made.classes) == (LATENT, shape, 0)


@every_network
def test_precision_comes_from_outside(network, shape):
    made = make(network, shape).eval()
    x = inputs(made, shape)
    single = made(x, None)
    double = made.double()(x.double(), None)
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), single, atol=1e-4, rtol=1e-4)


@every_network
def test_the_same_seed_gives_the_same_network(network, shape):
    torch.manual_seed(1)
    one = make(network, shape).state_dict()
    torch.manual_seed(1)
    other = make(network, shape).state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
    torch.manual_seed(2)
    third = make(network, shape).state_dict()
    assert any(not torch.equal(one[key], third[key]) for key in one)


@every_network
def test_weights_can_be_saved_loaded_and_copied(network, shape):
    torch.manual_seed(1)
    made, other = make(network, shape).eval(), make(network, shape).eval()
    x = inputs(made, shape)
    assert not torch.equal(made(x, None), other(x, None))
    other.load_state_dict(made.state_dict())
    assert torch.equal(made(x, None), other(x, None))
    assert torch.equal(made(x, None), copy.deepcopy(made)(x, None))
    # safetensors refuses weights that share memory
    storages = [value.untyped_storage().data_ptr() for value in made.state_dict().values()]
    assert len(set(storages)) == len(storages)


@every_network
def test_evaluation_draws_nothing(network, shape):
    made = make(network, shape).eval()
    x, before = inputs(made, shape), torch.get_rng_state()
    assert torch.equal(made(x, None), made(x, None))
    assert torch.equal(before, torch.get_rng_state())


@every_generator
def test_a_sample_does_not_depend_on_its_batch_in_evaluation(network, shape):
    made = make(network, shape).eval()
    z = inputs(made, shape)
    alone = torch.cat([made(part, None) for part in z.split(1)])
    assert torch.allclose(alone, made(z, None), atol=1e-5)


@every_network
def test_every_weight_gets_a_gradient(network, shape):
    made = make(network, shape)
    with torch.no_grad():  # off the zeros that biases start at
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    out = made(inputs(made, shape, 64), None)
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@every_network
def test_inputs_are_left_as_they_were(network, shape):
    made = make(network, shape)
    x = inputs(made, shape)
    before = x.clone()
    made(x, None)
    assert torch.equal(x, before)


CONDITIONAL = [
    pytest.param(entry, shape, id=f"{name}-{shape}")
    for name, entry in NETWORKS.items()
    if "classes" in inspect.signature(entry).parameters
    for shape in shapes_of(entry)
]


@pytest.mark.parametrize(("network", "shape"), CONDITIONAL)
def test_labels_change_the_output_of_a_conditional_network(network, shape):
    made = make(network, shape, classes=3).eval()
    assert made.classes == 3
    x = torch.cat([inputs(made, shape, 1)] * 3)
    out = made(x, torch.arange(3)).reshape(3, -1)
    assert len({tuple(row.tolist()) for row in out}) == 3


# ---- together


@every_discriminator
@pytest.mark.parametrize("penalty", [p for p in PENALTIES if not hasattr(PENALTIES[p], "of_generator")])
def test_every_discriminator_bears_every_penalty(network, shape, penalty):
    """The penalty's gradient with respect to the weights exists and is finite: D is differentiable twice."""
    made, entry = make(network, shape), PENALTIES[penalty]()
    batches = [torch.rand(N, *shape).requires_grad_() for _ in range(2)]
    value = entry(made, *(Scored(x, None, made(x, None)) for x in batches))
    if value is not None:
        assert value.shape == (N,)
        assert (value >= 0).all()
        value.mean().backward()
        gradients = [p.grad for p in made.parameters() if p.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
    entry.project(made)
    assert all(parameter.isfinite().all() for parameter in made.parameters())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
def test_every_pair_plays_every_game(loss, generator, discriminator):
    both = [s for s in shapes_of(GENERATORS[generator]) if s in shapes_of(DISCRIMINATORS[discriminator])]
    if not both:
        pytest.skip("one is for vectors, the other for images")
    shape = both[0]
    g, d = make(GENERATORS[generator], shape), make(DISCRIMINATORS[discriminator], shape)
    gan = GAN(
        generator=g,
        discriminator=d,
        generator_optimizer=torch.optim.SGD(g.parameters(), lr=1e-3),
        discriminator_optimizer=torch.optim.SGD(d.parameters(), lr=1e-3),
        prior=Normal(dim=LATENT),
        loss=LOSSES[loss],
    )
    stats = train_step(gan, itertools.repeat(Batch(torch.rand(8, *shape))))
    assert all(value.isfinite().all() for value in stats.values())
    for network in (g, d):
        # an untrained D's logits may be so far from 0 that a saturating loss moves no weight by a bit
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
        assert all(value.isfinite().all() for value in network.state_dict().values())
