"""Do samples look augmented?  A test for each thing that augmentation does to images and must not teach G.

Where doing it again undoes it (mirroring, turning, inverting, another hue), a small network f learns on
training data to tell an image from its variants T x.  Then

    s(x) = f(x) − mean over variants T of f(T x)

says of any image whether it would be more like the data the other way round: one that was made upside down
has the sign reversed, while one that is merely blurred is so on both sides of the difference.  Everything
else is looked at by a number that the transformation spreads: where the image's middle is, how bright it is;
or by how much of it is blank.

Below a threshold, chosen on training data, an image counts as transformed.  The share of such samples is
compared with that of held-out data by Fisher's exact test, one-sided, corrected for the number of tests
(Holm 1979).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, logsigmoid

from ..augment import color
from ..augment.frame import Frame
from ..augment.pipeline import Pipeline
from . import looks

SIZE = 16  # pixels that the network looks at: orientation, colour and holes are seen at that
STEPS = 300
BATCH = 24
RATE = 2e-3
CHUNK = 512
MOST_CHOSEN_ON = 2_000  # images, for a threshold
LEVEL = 0.05
LEAST_SHARE = 0.05  # of the samples, for a leak: a generator is never exact


Count = tuple[int, int]  # how many count as transformed, of how many
Statistic = Callable[[Tensor], Tensor]  # (N, C, H, W) in [−1, 1] -> (N,), the less the more like a variant


class Transformation(NamedTuple):
    """What may have leaked.

    Args:
        variants: x in [−1, 1] -> transformed copies, (N, C, H, W) each.
        statistic: what to look at; None leaves that to a network, which takes a transformation that can be
            undone by doing it again.
    """

    variants: Callable[[Tensor], list[Tensor]]
    statistic: Statistic | None = None


class Leak(NamedTuple):
    """What one test found.

    Args:
        name: of what would have leaked.
        data: share of held-out images that count as transformed.
        samples: share of samples that do.
        transformed: share of transformed held-out images that do.
        share: of the samples that would have to be transformed to explain it, 0 to 1.
        p_value: of samples counting as often as held-out images, corrected.
        leaked: whether that is improbable and the share not small.
    """

    name: str
    data: float
    samples: float
    transformed: float
    share: float
    p_value: float
    leaked: bool


def transformations_for(frame: Frame, height: int, width: int) -> dict[str, Transformation]:
    """Name -> transformation, for all that can be done to images of that kind and size.

    Args:
        frame: of the images.
        height: pixels.
        width: pixels.
    """
    turns = (1, 2, 3) if height == width else (2,)
    found = {
        "mirrored": Transformation(lambda x: [x.flip(3)]),
        "turned": Transformation(lambda x: [torch.rot90(x, k, (2, 3)) for k in turns]),
        "shifted": _drawn("xint", frame, _unusual(looks.middle)),
        "cut out": _drawn("cutout", frame, looks.whole(frame.empty)),
        "brightness": _drawn("brightness", frame, _unusual(looks.brightness)),
        "contrast": _drawn("contrast", frame, _unusual(looks.contrast)),
    }
    if frame.allows("lumaflip"):
        found["inverted"] = _recolored([color.luma_flip(torch.ones(1))], frame)
    if frame.allows("hue"):
        found["hue"] = _recolored([color.hue(torch.tensor([k * math.pi / 2])) for k in (1, 2, 3)], frame)
        found["saturation"] = _drawn("saturation", frame, _unusual(looks.chroma))
    return found


def _drawn(name: str, frame: Frame, statistic: Statistic) -> Transformation:
    transform = Pipeline({name: 1.0}, frame._replace(low=-1.0, high=1.0), 1.0)
    return Transformation(lambda x: [transform(x)], statistic)


def _recolored(matrices: list[Tensor], frame: Frame) -> Transformation:
    def variants(x: Tensor) -> list[Tensor]:
        return [color.colored(x, matrix.expand(len(x), 4, 4), frame.kind) for matrix in matrices]

    return Transformation(variants)


def _unusual(of: Callable[[Tensor], Tensor]) -> Statistic:
    """Minus the distance from the middle of the set: augmentation spreads, a poor generator mostly moves."""

    def statistic(x: Tensor) -> Tensor:
        numbers = of(x)  # (N, how many)
        return -(numbers - numbers.median(0).values).square().sum(1).sqrt()

    return statistic


class Detector(nn.Module):
    """Images -> one score for each test; convolutions, since what matters may be anywhere."""

    def __init__(self, channels: int, tests: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 24, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48 * (SIZE // 4) ** 2, tests),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, tests)."""
        scores: Tensor = self.layers(adaptive_avg_pool2d(x.clamp(-1.5, 1.5), SIZE))
        return scores


def fitted(train: Tensor, tests: dict[str, Transformation], *, steps: int = STEPS) -> Detector:
    """A detector that tells each image from its transformed copies.

    Args:
        train: (N, C, H, W) images in [−1, 1].
        tests: see `transformations_for`.
        steps: of Adam.
    """
    detector = Detector(train.shape[1], len(tests))
    optimizer = torch.optim.Adam(detector.parameters(), lr=RATE, weight_decay=1e-4)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - step / steps))
        x = train[torch.randint(len(train), (BATCH,))]
        candidates = [x, *(_one_of(test.variants(x)) for test in tests.values())]
        found = detector(torch.cat(candidates)).view(len(candidates), BATCH, len(tests))
        apart = found[0] - found[1:].diagonal(dim1=0, dim2=2)  # (BATCH, tests)
        optimizer.zero_grad()
        (-logsigmoid(apart)).mean(0).sum().backward()
        optimizer.step()
    return detector.eval()


def _one_of(variants: list[Tensor]) -> Tensor:
    """For each image one of its variants, drawn."""
    made = torch.stack(variants)
    return made[torch.randint(len(made), (made.shape[1],)), torch.arange(made.shape[1])]


@torch.no_grad()
def gain(detector: Detector, x: Tensor, index: int, test: Transformation) -> Tensor:
    """s(x), (N,): how much more like the data an image is than its variants."""
    found = []
    for part in x.split(CHUNK):
        others = torch.stack([detector(copy)[:, index] for copy in test.variants(part)]).mean(0)
        found.append(detector(part)[:, index] - others)
    return torch.cat(found)


def leaks(
    train: Tensor,
    held_out: Tensor,
    suspects: Sequence[Tensor],
    frame: Frame,
    *,
    seed: int = 0,
    steps: int = STEPS,
) -> list[list[Leak]]:
    """Every test on each set of suspects, those that leaked and the most improbable first.

    Args:
        train: (N, C, H, W) training images in [−1, 1]; half of them fit the detector, half its thresholds.
        held_out: (M, C, H, W) images that suspects are compared with.
        suspects: (K, C, H, W) each, samples or other data; the correction is for the tests of one set.
        frame: of the images.
        seed: of first weights, minibatches and transformations; no other random number changes.
        steps: of fitting.
    """
    tests = transformations_for(frame, *train.shape[2:])
    learnt = {name: test for name, test in tests.items() if test.statistic is None}
    fit, choose = train[::2], train[1::2][:MOST_CHOSEN_ON]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = fitted(fit, learnt, steps=steps)
        apart, flags = [], []
        for name, test in tests.items():
            statistic: Statistic
            if test.statistic is None:
                statistic, most = partial(gain, detector, index=list(learnt).index(name), test=test), 0.0
            else:
                statistic, most = test.statistic, math.inf
            threshold = best_threshold(statistic(choose), statistic(_one_of(test.variants(choose))), most)
            flags.append([statistic(x) < threshold for x in (held_out, *suspects)])
            changed = statistic(_one_of(test.variants(held_out))) < threshold
            apart.append(float(changed.double().mean()))
    real, *fakes = (torch.stack(sides) for sides in zip(*flags, strict=True))  # (tests, N) each
    return [named(list(tests), apart, real, fake) for fake in fakes]


def named(names: Sequence[str], transformed: Sequence[float], real: Tensor, fake: Tensor) -> list[Leak]:
    """What has leaked, the most improbable first, then all else.

    One leak may show in several tests: an image that is turned is off centre, too.

    Args:
        names: of the tests.
        transformed: share of transformed held-out images that count as transformed, for each test.
        real: (tests, N) bool, which held-out images count as transformed.
        fake: (tests, K) likewise, of samples.
    """
    chances = holm([fisher(_count(a), _count(b)) for a, b in zip(real, fake, strict=True)])
    sides = zip(names, real, fake, transformed, chances, strict=True)
    return sorted((_leak(*one) for one in sides), key=lambda leak: (not leak.leaked, leak.p_value))


def _count(flags: Tensor) -> Count:
    return int(flags.sum()), len(flags)


def _leak(name: str, real: Tensor, fake: Tensor, transformed: float, chance: float) -> Leak:
    data, samples = (float(flags.double().mean()) for flags in (real, fake))
    apart = transformed - data
    share = min(max((samples - data) / apart, 0.0), 1.0) if apart > 0 else 0.0
    return Leak(name, data, samples, transformed, share, chance, chance < LEVEL and share >= LEAST_SHARE)


def best_threshold(plain: Tensor, transformed: Tensor, most: float = math.inf) -> float:
    """Below which images count as transformed: where a few among many show most clearly.

    That is, where (B − A) / √(A (1 − A) + 1/N) is largest, with A and B the shares of plain and transformed
    images below it; it is at most `most`.
    """
    candidates = torch.cat([plain, transformed]).clamp(max=most).unique()
    if len(candidates) > 200:
        candidates = candidates[torch.linspace(0, len(candidates) - 1, 200).long()]
    a = (plain[:, None] < candidates).double().mean(0)
    b = (transformed[:, None] < candidates).double().mean(0)
    return float(candidates[((b - a) / (a * (1 - a) + 1 / len(plain)).sqrt()).argmax()])


def fisher(real: Count, fake: Count) -> float:
    """P(as many hits or more among the fakes), given all hits, were each as likely: Fisher's exact test.

    Args:
        real: (hits, of how many).
        fake: likewise.
    """
    (a, n), (b, m) = real, fake
    hits = a + b
    whole = _log_choose(n + m, hits)
    terms = [_log_choose(m, k) + _log_choose(n, hits - k) - whole for k in range(b, min(m, hits) + 1)]
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _log_choose(n: int, k: int) -> float:
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def holm(p_values: list[float]) -> list[float]:
    """Corrected so that all of them hold together, Holm (1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    found, most = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[index]))
        found[index] = most
    return found
