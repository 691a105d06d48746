"""`evenodds doctor`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .display import status
from .signals import uninterrupted
from .text import listed, wrapped

if TYPE_CHECKING:
    from ..loss_doctor import Diagnosis

MARKS = {"good": "✓", "bad": "✗", "note": "!"}
PLAIN_MARKS = {"good": "ok", "bad": "NO", "note": "!"}  # where the terminal has no such signs


def doctor(*, loss: str | None = None, seed: int = 0, out: Path | None = None) -> int:
    """Say what this machine has, what is missing, and how fast it trains; takes about ten seconds.

    With --loss, test a loss instead: what training asks of it, the best discriminator it leads to, whether
    its game comes to rest (the Dirac-GAN), and short games on known densities; takes about half a minute.

    Args:
        loss: a loss of evenodds, such as hinge, or your Python file.  The file is run; it defines
            loss = AdversarialLoss(...), or discriminator(real, fake) and generator(real, fake).
        seed: of the games that a loss is tested on.
        out: a PNG file for the Dirac-GAN's paths under the loss.
    """
    if loss is not None:
        return _test(loss, seed, out)
    if out is not None:
        raise ConfigError(f"--out {out} is for the picture of a loss; add --loss, or leave --out out")
    with status("looking at this machine and training for five seconds"):
        with uninterrupted():
            from ..doctor import examine
        facts, missing = examine()
    print(listed(facts))
    print("\ntraining works; missing:" if missing else "\ntraining works, and nothing is missing")
    for sentence in missing:
        print(wrapped(sentence, "  "))
    return 0


def _test(argument: str, seed: int, out: Path | None) -> int:
    """Test a loss, and say what was found."""
    if out is not None and out.suffix != ".png":
        raise ConfigError(f"--out {out} is no picture; give a name that ends with .png")
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"{out.parent} does not exist; make it, or give another --out")
    with status(f"testing {argument}"):
        with uninterrupted():
            import torch

            from ..loss_doctor import diagnose, load_loss
        torch.set_num_threads(1)  # the fastest for networks this small
        found = diagnose(load_loss(argument), seed=seed)
    print(_findings(found))
    if out is not None and found.dirac:
        from ..loss_doctor.picture import draw_dirac

        draw_dirac(found, out)
        print(f"\nwritten to {out}")
    return 0


def _findings(found: Diagnosis) -> str:
    marks = MARKS
    try:
        "".join(MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        marks = PLAIN_MARKS
    rows = [(f"{marks[finding.mark]:2} {finding.name}", finding.text) for finding in found.findings]
    return f"{listed(rows)}\n\n{wrapped(found.sentence)}"
