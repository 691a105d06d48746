"""The loss doctor, held to games whose eigenvalues and optima are known, and to losses that are wrong."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from evenodds.dirac import DiracGAN, eigenvalues
from evenodds.errors import ConfigError
from evenodds.loss_doctor import NamedLoss, diagnose, load_loss
from evenodds.loss_doctor.equilibrium import play_dirac, stability
from evenodds.loss_doctor.games import LINE, RING, binned_jsd, check_line, check_ring
from evenodds.loss_doctor.optimum import POINTS, optimal_discriminator, resting_constant
from evenodds.losses import LOSSES, AdversarialLoss
from evenodds.penalties import R1

ROOT_075 = math.sqrt(0.75)
# Mescheder et al. (2018), section 3: without a penalty ± |f′| i, with R1 of weight 1 −½ ± √(¼ − f′²)
SPECTRA = {
    "minimax": ((-0.5j, 0.5j), (-0.5, -0.5)),
    "non_saturating": ((-0.5j, 0.5j), (-0.5, -0.5)),
    "relativistic": ((-0.5j, 0.5j), (-0.5, -0.5)),
    "least_squares": ((-0.5j, 0.5j), (-0.5, -0.5)),
    "wasserstein": ((-1j, 1j), (-0.5 - ROOT_075 * 1j, -0.5 + ROOT_075 * 1j)),
    "hinge": ((-1j, 1j), (-0.5 - ROOT_075 * 1j, -0.5 + ROOT_075 * 1j)),
}
# of D at its best for N(0, 1) against N(1, 1): −C(G), 2 (1 − TV) and log 2 − JS(p⊗q, q⊗p)
BEST_LOSS = {"minimax": 1.163451, "hinge": 1.234150, "relativistic": 0.491802}


@pytest.fixture
def short_paths(monkeypatch):
    """For tests of what is said, which the eigenvalues decide."""
    monkeypatch.setattr("evenodds.loss_doctor.equilibrium.STEPS", 5)


def marks(loss: AdversarialLoss) -> dict[str, str]:
    """Test -> mark, without the games."""
    return {f.name: f.mark for f in diagnose(NamedLoss("mine", loss), games=False).findings}


def complaint(loss: AdversarialLoss) -> tuple[str, str]:
    """Name and text of the only thing that is wrong with it."""
    found = diagnose(NamedLoss("mine", loss), games=False)
    assert not found.sound
    wrong = [finding for finding in found.findings if finding.mark == "bad"]
    assert len(wrong) == 1, wrong
    assert wrong[0].text in found.sentence
    return wrong[0].name, wrong[0].text


@pytest.mark.parametrize("name", SPECTRA)
def test_eigenvalues_are_those_in_print(name):
    loss = LOSSES[name]
    offset = resting_constant(loss)
    for known, r1 in zip(SPECTRA[name], (0.0, 1.0), strict=True):
        found = eigenvalues(DiracGAN(loss, {"r1": R1(weight=r1)} if r1 else {}, offset=offset).field)
        # a double eigenvalue splits by the root of the rounding error
        assert max(abs(a - b) for a, b in zip(found, known, strict=True)) < 1e-6


def test_every_loss_of_the_library_is_held_to_print():
    assert set(SPECTRA) == set(LOSSES)


def test_radii_of_the_paths_are_those_of_an_independent_simulation():
    radii = play_dirac(LOSSES["wasserstein"], offset=0.0, r1=0.0).radii()
    assert radii["simultaneous"] == pytest.approx(25636, rel=1e-4)
    assert radii["G, D"] == pytest.approx(1.39786, rel=1e-4)


@pytest.mark.parametrize(
    ("values", "meaning"),
    [
        ((-0.5j, 0.5j), "circles"),
        ((-0.1 - 0.5j, -0.1 + 0.5j), "converges"),
        ((-2, -0.1), "converges"),
        ((-0.5, 0.5), "leaves"),
        ((0.1 - 1j, 0.1 + 1j), "leaves"),
        ((-1, 0), "stands"),
        ((0, 0), "stands"),
    ],
)
def test_what_eigenvalues_mean(values, meaning):
    assert stability(tuple(complex(value) for value in values)) == meaning


@pytest.mark.parametrize("name", BEST_LOSS)
def test_the_best_discriminator_reaches_the_closed_form(name):
    found = optimal_discriminator(LOSSES[name])
    assert found.loss == pytest.approx(BEST_LOSS[name], abs=2e-3)
    assert not found.unbounded


def test_the_best_minimax_discriminator_is_the_log_odds():
    found = optimal_discriminator(LOSSES["minimax"]).logits
    assert (found - (0.5 - POINTS)).abs().max() < 0.05  # log N(x; 0, 1) − log N(x; 1, 1) = ½ − x


def test_a_critic_without_a_bound_is_told_so():
    assert optimal_discriminator(LOSSES["wasserstein"]).unbounded


@pytest.mark.parametrize(("name", "constant"), [("minimax", 0.0), ("least_squares", 0.5), ("hinge", 0.0)])
def test_where_the_discriminator_rests(name, constant):
    assert resting_constant(LOSSES[name]) == pytest.approx(constant, abs=1e-9)


def test_a_resting_place_off_the_grid_is_found():
    shifted = AdversarialLoss(lambda r, f: softplus(1.2345 - r) + softplus(f - 1.2345), lambda r, f: -f)
    assert resting_constant(shifted) == pytest.approx(1.2345, abs=1e-6)


@pytest.mark.parametrize("name", ["minimax", "wasserstein", "relativistic"])
def test_a_good_loss_needs_r1_and_nothing_else(name, short_paths):
    found = diagnose(load_loss(name), games=False)
    assert found.sound
    assert found.dirac["without a penalty"].stability == "circles"
    assert found.dirac["with R1"].stability == "converges"
    assert "penalties.r1" in found.sentence


MINIMAX = LOSSES["non_saturating"]


def with_sides(discriminator=MINIMAX.discriminator, generator=MINIMAX.generator, paired=False):
    return AdversarialLoss(discriminator, generator, paired)


@pytest.mark.parametrize(
    ("loss", "test", "said"),
    [
        (with_sides(lambda r, f: softplus(r) + softplus(-f)), "directions", "exchanged"),
        (with_sides(generator=lambda r, f: softplus(f)), "directions", "sign"),
        (
            with_sides(lambda r, f: softplus(r) + softplus(-f), lambda r, f: softplus(f)),
            "directions",
            "both signs",
        ),
        (with_sides(lambda r, f: (softplus(-r) + softplus(f)).mean()), "shape", "leave out the mean"),
        (with_sides(lambda r, f: (softplus(-r) + softplus(f))[:, None]), "shape", "(6, 1)"),
        (with_sides(lambda r, f: 0.0), "shape", "float"),
        (
            with_sides(lambda r, f: (softplus(-r) + softplus(f)).mean().expand(len(r))),
            "batch",
            "other examples",
        ),
        (with_sides(lambda r, f: softplus(f - r.mean().detach()) + softplus(-r)), "batch", "other examples"),
        (with_sides(lambda r, f: -r.log() - (1 - f).log()), "values", "softplus"),
        (with_sides(lambda r, f: (r / f).detach() * 0 + r.detach()), "values", "nan"),
        (with_sides(generator=lambda r, f: softplus(-f).detach()), "gradients", "detach"),
        (with_sides(lambda r, f: softplus(-r)), "gradients", "fake"),
        (with_sides(generator=LOSSES["relativistic"].generator), "pairs", "paired=True"),
        (with_sides(lambda r, f: 0.5 * f - r), "equal odds", "balance"),
        (with_sides(lambda r, f: (r - f - 1).square() - 3 * (r - f).square()), "equal odds", "differences"),
    ],
)
def test_a_wrong_loss_is_told_what_is_wrong(loss, test, said, short_paths):
    name, text = complaint(loss)
    assert name == test
    assert said in text


def test_the_relativistic_average_is_judged_with_a_note_on_its_batch(short_paths):
    """Jolicoeur-Martineau (2019), section 4.2; on one point both sides are twice the relativistic loss."""
    average = with_sides(
        lambda r, f: softplus(f.mean() - r) + softplus(f - r.mean()),
        lambda r, f: softplus(r - f.mean()) + softplus(r.mean() - f),
        paired=True,
    )
    found = diagnose(NamedLoss("mine", average), games=False)
    assert found.sound
    seen = {finding.name: finding.mark for finding in found.findings}
    assert seen["batch"] == "note"
    assert "best D" not in seen
    assert found.dirac["without a penalty"].eigenvalues == pytest.approx((-1j, 1j))


def test_a_generator_that_runs_from_the_data_is_told_so_by_its_eigenvalues(short_paths):
    """With an odd generator's loss the mean gradient points the right way, and at rest the wrong one."""
    loss = with_sides(generator=lambda r, f: -(f**3) + 0.05 * f)
    found = {f.name: f for f in diagnose(NamedLoss("mine", loss), games=False).findings}
    assert found["directions"].mark == "good"
    assert found["without a penalty"].mark == "bad"
    assert "diverges" in found["without a penalty"].text


def test_an_overflow_at_logits_that_are_rare_is_a_note(short_paths):
    pearson_kl = with_sides(lambda r, f: (f - 1).exp() - r, lambda r, f: -f)  # KL, Nowozin et al. (2016)
    assert marks(pearson_kl)["values"] == "note"


def test_what_the_games_are_judged_by():
    random = torch.Generator().manual_seed(0)
    assert check_line(LINE.density.sample(10_000, random)).mark == "good"
    assert check_line(LINE.density.sample(10_000, random) + 1).mark == "bad"
    assert check_ring(RING.density.sample(10_000, random)).mark == "good"
    seven = RING.density.modes[:7].repeat(100, 1).float()
    assert check_ring(seven).mark == "bad"
    assert "7 of 8 modes" in check_ring(seven).text
    assert "no numbers" in check_ring(seven * math.nan).text


def test_the_binned_divergence_is_that_of_the_densities():
    """N(2, ½²) against itself shifted by one deviation: 0.111421 nats, less what the bins lose."""
    shifted = LINE.density.sample(100_000, torch.Generator().manual_seed(0)) + LINE.density.std
    assert binned_jsd(shifted, LINE.density) == pytest.approx(0.111421, abs=2e-3)


def test_a_short_game_is_won_by_a_good_loss(monkeypatch):
    from evenodds.loss_doctor import games

    state = torch.get_rng_state()
    samples = games.play(MINIMAX, games.LINE._replace(iterations=250), seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert check_line(samples).mark == "good"
    assert check_line(games.play(MINIMAX, games.LINE._replace(iterations=2), seed=0)).mark == "bad"


IMPORT = "from evenodds.losses import AdversarialLoss, LOSSES, hinge_discriminator\n"
FUNCTIONS = """
from torch.nn.functional import softplus

def discriminator(real, fake):
    return softplus(-real) + softplus(fake)

def generator(real, fake):
    return softplus(-fake)
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_two_functions_are_a_loss(file):
    named = load_loss(file(FUNCTIONS))
    real, fake = torch.randn(5), torch.randn(5)
    assert torch.equal(named.loss.discriminator(real, fake), MINIMAX.discriminator(real, fake))
    assert torch.equal(named.loss.generator(real, fake), MINIMAX.generator(real, fake))
    assert (named.name, named.known, named.loss.paired) == ("mine.py", False, False)


def test_two_functions_of_pairs_are_known_as_such(file):
    assert load_loss(file(FUNCTIONS.replace("softplus(-fake)", "softplus(real - fake)"))).loss.paired


@pytest.mark.parametrize("name", ["loss", "pearson"])
def test_an_adversarial_loss_is_found(file, name):
    head = (
        "from evenodds.losses import AdversarialLoss, LOSSES, hinge_discriminator\nother = LOSSES['hinge']\n"
    )
    pair = "AdversarialLoss(hinge_discriminator, lambda real, fake: -fake, paired=True)"
    assert load_loss(file(f"{head}{name} = {pair}\n")).loss.paired


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ndef discriminator(real, fake:\n", "line 2: "),
        ("x = 1\n\nx / 0\n", "line 3: ZeroDivisionError"),
        ("import sys\nsys.exit('gone')\n", "line 2: SystemExit: gone"),
        ("import nonsense_of_mine\n", "line 1: ModuleNotFoundError"),
        ("def discriminator(real, fake):\n    return real\n", "no function generator(real, fake)"),
        ("loss = 3\n", "loss is a int"),
        (f"{IMPORT}a = AdversarialLoss(min, min)\nb = AdversarialLoss(max, max)", "a, b"),
    ],
)
def test_a_file_that_defines_no_loss_is_refused_in_one_sentence(file, text, said):
    path = file(text)
    with pytest.raises(ConfigError) as refused:
        load_loss(path)
    assert path in str(refused.value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_error_in_a_loss_names_its_line(file):
    path = file(FUNCTIONS.replace("return softplus(-fake)", "return softplus(fake.nonsense)"))
    with pytest.raises(ConfigError, match=r"line 8: AttributeError.*nonsense.*; correct the file"):
        load_loss(path)
    path = file(FUNCTIONS.replace("softplus(-real) + softplus(fake)", "real @ fake[:2]"))
    with pytest.raises(ConfigError, match=r"line 5: RuntimeError"):
        diagnose(load_loss(path), games=False)


@pytest.mark.parametrize(("argument", "said"), [("hinges", "'hinge'"), ("none.py", "does not exist")])
def test_no_such_loss(argument, said):
    with pytest.raises(ConfigError, match=said):
        load_loss(argument)
