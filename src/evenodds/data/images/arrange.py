"""The order of examples in the cache: splits one after the other, each sorted by a digest of the pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ...errors import DataError

ORDER = ("train", "validation", "test")


def arranged(
    digests: Sequence[bytes],
    splits: Sequence[str],
    *,
    validation: float,
    test: float,
    seed: int,
    where: str,
) -> dict[str, list[int]]:
    """Which images are in which split, in the order in which they are stored.

    A split that is not given is cut from the end of train. Equal images stand side by side and are never
    divided by a cut, so that a split may be a little smaller than its fraction.

    Args:
        digests: of each image's pixels.
        splits: train, validation or test for each image; empty where none are given.
        validation: fraction of the training images, where that split is not given.
        test: likewise; 0 for no such split.
        seed: another one gives another order.
        where: what to call the data in messages.

    Raises:
        DataError: a split would have no images.
    """
    groups, keys = _sorted(digests, splits, seed)
    train = groups["train"]
    shares = {"test": test, "validation": validation}
    wanted = {name: round(len(train) * share) for name, share in shares.items() if not groups[name]}
    for name in (name for name, count in wanted.items() if count):
        cut = _cut(train, keys, wanted[name])
        train, groups[name] = train[:cut], train[cut:]
    groups["train"] = train
    if not train or not groups["validation"] or (test > 0 and not groups["test"]):
        counts = ", ".join(f"{len(groups[name])} {name}" for name in ORDER)
        raise DataError(
            f"{where} splits into {counts} images, which leaves one empty; add different images or change "
            "validation= and test="
        )
    return {name: group for name, group in groups.items() if group}


def _sorted(
    digests: Sequence[bytes], splits: Sequence[str], seed: int
) -> tuple[dict[str, list[int]], list[bytes]]:
    """The given splits, each sorted by a digest of seed and pixels, and these digests."""
    salt = str(seed).encode()
    keys = [hashlib.sha256(salt + b"\0" + digest).digest() for digest in digests]
    groups: dict[str, list[int]] = {name: [] for name in ORDER}
    for image in sorted(range(len(keys)), key=lambda image: (keys[image], image)):
        groups[splits[image] if splits else "train"].append(image)
    return groups, keys


def _cut(group: Sequence[int], keys: Sequence[bytes], wanted: int) -> int:
    """Where the last `wanted` of a group begin, moved so that no equal images are divided."""
    cut = len(group) - wanted
    while 0 < cut < len(group) and keys[group[cut]] == keys[group[cut - 1]]:
        cut += 1
    if cut == len(group):  # nothing but copies of one image follow: they all go together
        cut = len(group) - wanted
        while cut > 0 and keys[group[cut]] == keys[group[cut - 1]]:
            cut -= 1
    return cut
