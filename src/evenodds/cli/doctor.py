"""`evenodds doctor`"""

from __future__ import annotations

from .display import status
from .signals import uninterrupted
from .text import listed, wrapped


def doctor() -> int:
    """Say what this machine has, what is missing, and how fast it trains; takes about ten seconds."""
    with status("looking at this machine and training for five seconds"):
        with uninterrupted():
            from ..doctor import examine
        facts, missing = examine()
    print(listed(facts))
    print("\ntraining works; missing:" if missing else "\ntraining works, and nothing is missing")
    for sentence in missing:
        print(wrapped(sentence, "  "))
    return 0
