"""benchmarks/vae.py: the VAE's bound against quadrature, sharpness on images whose sharpness is known."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from evenodds import Sampler, recipe
from evenodds.data.digits import load_digits

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study():
    """The script as a module; it imports its neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("vae_benchmark", FOLDER / "vae.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def test_the_bound_is_the_log_likelihood_less_the_divergence_from_the_posterior(study):
    """log p(x) − E bound = KL(q(z|x) ‖ p(z|x)), both sides by quadrature over a z of one number."""
    torch.manual_seed(3)
    vae = study.VAE((1, 3, 3), latent_dim=1, widths=(16,)).double()
    for layer in (vae.encoder[-1], vae.decoder.last):
        torch.nn.init.normal_(layer.weight, 0, 0.7)
    x = torch.rand(1, 1, 3, 3, dtype=torch.float64)
    z = torch.linspace(-12, 12, 20_001, dtype=torch.float64)[:, None]
    step, density = z[1, 0] - z[0, 0], torch.distributions.Normal(0.0, 1.0).log_prob(z[:, 0])
    expected_bound = (vae.bound(x.expand(len(z), 1, 3, 3), z) * density.exp()).sum() * step

    logits, ink = 2 * vae.decoder(z).flatten(1), x.flatten(1)
    log_given = (ink * logsigmoid(logits) + (1 - ink) * logsigmoid(-logits)).sum(1)
    log_joint = log_given + density
    log_p = log_joint.logsumexp(0) + step.log()
    mean, log_variance = vae.encoder(x)[0]
    q = torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(z[:, 0])
    divergence = (q.exp() * (q - (log_joint - log_p))).sum() * step
    assert divergence > 0.01
    torch.testing.assert_close(expected_bound, log_p - divergence, rtol=1e-6, atol=1e-6)


def test_the_generator_that_is_kept_makes_the_means_of_the_pixels(study, tmp_path):
    config = recipe("gan-digits").model_copy(update={"conditional": False, "ema_half_life": 0.0})
    rival = study.Rival(config, load_digits())
    first = rival.held_out_bound()
    for _ in range(150):
        rival.step()
    kept = rival.save(tmp_path / "vae.safetensors")
    assert kept["examples"] == 150 * config.batch_size
    assert kept["validation_bound"] > first + 5  # nats
    sampler = Sampler.load(tmp_path / "vae.safetensors")
    z = sampler.latents(range(4))
    with torch.no_grad():
        means = (2 * rival.vae.decoder(z)).sigmoid()
        torch.testing.assert_close((sampler.generator(z) + 1) / 2, means, rtol=1e-5, atol=1e-6)


def test_a_stopped_vae_goes_on_as_it_would_have(study):
    config = recipe("gan-digits").model_copy(update={"conditional": False})
    whole, stopped = study.Rival(config, load_digits()), study.Rival(config, load_digits())
    for _ in range(25):  # across the end of a pass
        whole.step()
    for _ in range(15):
        stopped.step()
    resumed = study.Rival(config, load_digits())
    resumed.restore({name: value.clone() for name, value in stopped.state().items()}, stopped.examples, 1.0)
    for _ in range(10):
        resumed.step()
    assert resumed.examples == whole.examples
    assert all(torch.equal(value, resumed.state()[name]) for name, value in whole.state().items())


def test_the_vae_takes_none_of_the_gans_random_numbers(study):
    config = recipe("gan-digits").model_copy(update={"conditional": False})
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    rival = study.Rival(config, load_digits())
    rival.step()
    assert torch.equal(torch.rand(3), expected)


def test_sharpness_of_stripes_and_of_their_blur(study):
    stripes = np.zeros((2, 1, 8, 8), np.float32)
    stripes[..., ::2] = 1
    flat = np.full_like(stripes, 0.5)
    assert study.gradient_energy(stripes) == pytest.approx(0.5)  # 1 across, 0 down
    assert study.gradient_energy(flat) == 0
    assert study.gray_share(stripes) == 0
    assert study.gray_share(flat) == 1
    half = stripes.copy()
    half[..., :4] *= 0.5
    assert study.gray_share(half) == pytest.approx(0.5)
