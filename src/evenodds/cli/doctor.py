"""`evenodds doctor`"""

from __future__ import annotations

from .display import status
from .text import columns, wrapped


def doctor() -> int:
    """Say what this machine has, what is missing, and how fast it trains; takes about ten seconds."""
    with status("looking at this machine and training for five seconds"):
        from ..doctor import examine

        facts, missing = examine()
    print(columns(facts, ""))
    for sentence in missing:
        print(wrapped(f"missing: {sentence}"))
    if not missing:
        print("nothing is missing")
    return 0
