"""Lists of seeds: `0,3,5-9`."""

from __future__ import annotations

import re

from ..errors import ConfigError

MOST = 1_000_000  # seeds in one command
LARGEST = 2**63 - 1


def parse_seeds(text: str) -> list[int]:
    """The seeds that `0,3,5-9` names, in that order.

    Raises:
        ConfigError: not such a list, or more than a million seeds.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,19})(?:\s*-\s*([0-9]{1,19}))?\s*", part)
        if not match:
            raise ConfigError(f"--seeds {text!r}: {part!r} is no seed; write a list such as 0,3,5-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ConfigError(f"--seeds {text!r}: {part!r} runs backwards; write {last}-{first}")
        if last > LARGEST:
            raise ConfigError(f"--seeds {text!r}: a seed is at most 2^63 − 1; give smaller ones")
        if len(seeds) + last - first >= MOST:
            raise ConfigError(f"--seeds {text!r} names more than {MOST:,} seeds; draw them in several parts")
        seeds.extend(range(first, last + 1))
    return seeds
