"""All tests of a loss, the cheap ones first, and what they amount to in one sentence."""

from __future__ import annotations

from typing import NamedTuple

from ..data.densities import gaussian
from ..theory import optimal_value
from .contract import BATCH, check_contract
from .equilibrium import GAMMA, Dirac, check_dirac, play_dirac
from .findings import Finding
from .games import check_games
from .loading import NamedLoss
from .optimum import check_optimum, check_rest, resting_constant


class Diagnosis(NamedTuple):
    """What is known of a loss now.

    Args:
        name: of the loss.
        findings: in the order of the tests.
        dirac: without a penalty and with R1; empty where the loss broke down before.
        sentence: what it amounts to.
    """

    name: str
    findings: list[Finding]
    dirac: dict[str, Dirac]
    sentence: str

    @property
    def sound(self) -> bool:
        """Whether nothing speaks against training with it."""
        return all(finding.mark != "bad" for finding in self.findings)


def diagnose(named: NamedLoss, *, seed: int = 0, games: bool = True) -> Diagnosis:
    """Test a loss; half a minute with the games, a few seconds without.

    Args:
        named: the loss.
        seed: of the games.
        games: whether to play them.

    Raises:
        ConfigError: code in the user's file fails.
    """
    loss, dirac = named.loss, dict[str, Dirac]()
    findings = check_contract(loss)
    if all(finding.mark != "bad" for finding in findings):
        # D at its best is found by weighing pairs, which the statistics of a batch would not heed
        if (BATCH, "good") in [(finding.name, finding.mark) for finding in findings]:
            findings.append(_optimum(named))
        findings.append(check_rest(loss))
        offset = resting_constant(loss) or 0.0
        dirac = {
            name: play_dirac(loss, offset=offset, r1=weight)
            for name, weight in (("without a penalty", 0.0), ("with R1", GAMMA))
        }
        findings += check_dirac(*dirac.values())
    if games and all(finding.mark != "bad" for finding in findings):
        findings += check_games(loss, seed=seed)
    return Diagnosis(named.name, findings, dirac, _sentence(named, findings, dirac))


def _optimum(named: NamedLoss) -> Finding:
    """The best D against known densities, and its loss in closed form where that is known."""
    theory = None
    if named.known and named.name != "wasserstein":  # whose closed form is for a critic of slope 1
        p, q = gaussian(mean=0.0), gaussian(mean=1.0)
        theory = optimal_value(named.name, p, q).value
    return check_optimum(named.loss, theory=theory)


def _sentence(named: NamedLoss, findings: list[Finding], dirac: dict[str, Dirac]) -> str:
    name = named.name
    wrong = [finding for finding in findings if finding.mark == "bad"]
    if wrong and not dirac:
        return f"{name} can't be trained with as it is: {wrong[0].text}"
    if wrong:
        return f"{name} should not be trained with: {wrong[0].name}: {wrong[0].text}"
    if dirac["without a penalty"].stability == "converges":
        return f"{name} converges, with R1 and without a penalty"
    how = "--set penalties.r1.weight=1" if named.known else 'penalties={"r1": R1(weight=1)}'
    return f"{name} converges with R1 and not without: train it with {how}"
