"""Whether images may be mirrored: do mirrored ones look as if they belonged to the data?

Mirroring doubles the data where left and right mean nothing, and teaches the generator letters in mirror
writing where they do.  The data decide: an image that was held out is compared with the others as it is and
mirrored, and in data without a side either is the nearer one half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dataset import Array
from .thumbnails import Floats, shrunk

MOST = 2000  # images compared, all with all
SIDE = 16  # pixels of a thumbnail
ROUNDS = 19  # of the randomisation test
SYMMETRIC = 0.2  # distance of a thumbnail from its mirror image, both of length 1, that is none to speak of
FEWEST = 50  # images with a left and a right, below which nothing can be told
# Shares of images that are nearer to the others as they are: MNIST 0.95, emoji 0.75, CIFAR-10 0.52 (2,000 of
# each).  Above this share, and outside what chance does, mirroring is refused.
REFUSED = 0.55
SIGMAS = 2.5  # one data set in 150 without sides is refused


@dataclass(frozen=True)
class MirrorTest:
    """How the comparison came out.

    Args:
        share: of the images with a left and a right, those nearer to the others as they are.
        chance: standard deviation of the share under mirroring at random.
        compared: images with a left and a right that were compared.
        symmetric: images that are their own mirror images, nearly.
    """

    share: float
    chance: float
    compared: int
    symmetric: int

    @property
    def allowed(self) -> bool:
        """Whether mirrored images pass for images of the data."""
        return self.compared >= FEWEST and not self.sided

    @property
    def sided(self) -> bool:
        """Whether left and right were found to differ."""
        return self.share >= REFUSED and self.share > 0.5 + SIGMAS * self.chance

    @property
    def reason(self) -> str:
        """One sentence."""
        if self.compared < FEWEST:
            if self.symmetric > self.compared:
                return f"{self.symmetric} of {self.symmetric + self.compared} images are symmetric already"
            return f"{self.compared} images are too few to tell whether left and right differ"
        percent = f"{100 * self.share:.0f} % of {self.compared:,} images are more like the others as they are"
        if self.sided:
            return f"{percent} than mirrored (50 % where sides mean nothing), as with digits or text"
        return f"{percent} than mirrored, and 50 % is what images without a side give"


def mirror_test(x: Array, *, seed: int = 0) -> MirrorTest:
    """Nearest neighbours of each image and of its mirror image among the others, on small thumbnails.

    If the data have no side, mirroring each image or not by a coin leaves their distribution as it is, so
    such data's shares are what chance does (a randomisation test: Fisher 1935).

    Args:
        x: (N, C, H, W), any channels.
        seed: of the choice of images and of the coins.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(x))[:MOST])
    plain, mirrored, sided = _similarities(shrunk(x[chosen], SIDE))
    compared = int(sided.sum())
    if not compared:
        return MirrorTest(0.5, 0.0, 0, len(chosen))
    share = _share(plain, mirrored, sided, np.ones(len(chosen), bool))
    coins = random.random((ROUNDS, len(chosen))) < 0.5
    by_chance = [_share(plain, mirrored, sided, coin) for coin in coins]
    chance = float(np.sqrt(np.mean((np.array(by_chance) - 0.5) ** 2)))
    return MirrorTest(share, chance, compared, len(chosen) - compared)


def _similarities(thumbnails: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Correlations (N, N) of images with images and with mirror images, and which images have sides (N,)."""
    plain, mirrored = (_unit(each) for each in (thumbnails, thumbnails[..., ::-1]))
    sided = np.linalg.norm(plain - mirrored, axis=1) > SYMMETRIC
    both = plain @ plain.T, plain @ mirrored.T
    for similarity in both:
        np.fill_diagonal(similarity, -2.0)  # no image is its own neighbour, nor its mirror image's
    return *both, sided


def _unit(thumbnails: Floats) -> Floats:
    """(N, d) without mean and of length 1, so that neither brightness nor contrast matters."""
    flat = thumbnails.reshape(len(thumbnails), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def _share(plain: Floats, mirrored: Floats, sided: NDArray[np.bool_], kept: NDArray[np.bool_]) -> float:
    """Of the images with sides, those nearer to the others as they are; images not `kept` are mirrored."""
    alike = kept[:, None] == kept[None, :]
    as_is = np.where(alike, plain, mirrored).max(1)
    turned = np.where(alike, mirrored, plain).max(1)
    wins = (as_is > turned) + 0.5 * (as_is == turned)
    return float(wins[sided].mean())
