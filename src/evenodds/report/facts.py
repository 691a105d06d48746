"""What a run's config.yaml and environment.json say, and what theory says about its loss."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..errors import RunError

LOG_2, LOG_4 = math.log(2), math.log(4)

# (D's loss, G's loss) where D's score is that of even odds everywhere: 0, but 1/2 for least squares.
EVEN_ODDS: dict[str, tuple[float, float]] = {
    "minimax": (LOG_4, -LOG_2),  # Goodfellow et al. (2014), Eq. 1 at D = 1/2
    "non_saturating": (LOG_4, LOG_2),  # Goodfellow et al. (2014), end of Section 3
    "wasserstein": (0.0, 0.0),  # Arjovsky et al. (2017), Eq. 2
    "hinge": (2.0, 0.0),  # Lim and Ye (2017); Miyato et al. (2018), Eq. 16 and 17
    "least_squares": (1 / 4, 1 / 8),  # Mao et al. (2017), Eq. 2 with a = 0, b = c = 1
    "relativistic": (LOG_2, LOG_2),  # Jolicoeur-Martineau (2019), Eq. 3 and 4
}
PROBABILITIES = ("minimax", "non_saturating")  # the losses under which sigmoid(score) is trained to be D(x)
NO_PROBABILITY = "sigmoid of D's score: a probability only for minimax and non-saturating"


class Facts(NamedTuple):
    """A run's own description of itself; empty mappings where a file is missing."""

    name: str  # of the run directory
    config: Mapping[str, Any]
    environment: Mapping[str, Any]

    def component(self, slot: str) -> str:
        """The name in `slot: {name: ...}` or `slot: name`; an empty string where there is none."""
        value = self.config.get(slot)
        value = value.get("name") if isinstance(value, Mapping) else value
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """A positive number of the configuration."""
        value = self.config.get(name)
        return float(value) if isinstance(value, int | float) and 0 < value < 2**53 else None

    @property
    def even_odds(self) -> tuple[float, float] | None:
        """(D's loss, G's loss) at even odds; None where the loss or one of its options isn't known here."""
        known = EVEN_ODDS.get(self.component("loss"))
        loss = self.config.get("loss")
        options = dict(loss) if isinstance(loss, Mapping) else {}
        options.pop("name", None)
        scales = [options.pop(f"{player}_scale", 1.0) for player in ("discriminator", "generator")]
        if (
            known is None
            or options
            or not all(isinstance(one, int | float) and abs(one) < 1e9 for one in scales)
        ):
            return None
        return known[0] * scales[0], known[1] * scales[1]

    @property
    def is_probability(self) -> bool:
        """Whether D is trained to be a probability; assumed where the loss isn't known."""
        return self.component("loss") in ("", *PROBABILITIES)


def read_facts(run: Path) -> Facts:
    """Read config.yaml and environment.json; a missing one is empty.

    Raises:
        RunError: a file is there but can't be read as what it should be.
    """
    return Facts(
        run.resolve().name,
        _mapping(run / "config.yaml", yaml.safe_load),
        _mapping(run / "environment.json", json.loads),
    )


def implied_jsd(value: float) -> float:
    """JSD >= (V + log 4) / 2 in nats, between 0 and log 2; Goodfellow et al. (2014), Theorem 1.

    V(D,G) of any D is at most that of the best D, −log 4 + 2 JSD, so it bounds JSD from below.
    """
    return min(max((value + LOG_4) / 2, 0.0), LOG_2)


def _mapping(path: Path, parse: Any) -> Mapping[str, Any]:
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(f"{path} can't be read ({error.strerror}); check its permissions") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise RunError(f"{path} is damaged; restore it from a copy, or report without it") from error
    if not isinstance(value, Mapping):
        raise RunError(f"{path} holds no named settings; restore it from a copy, or report without it")
    return {str(name): entry for name, entry in value.items()}
