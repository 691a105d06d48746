"""What a Fréchet inception distance costs here, and what it costs as it is usually computed.

`python benchmarks/fid_speed.py` computes the distance between one half of CIFAR-10's 10,000 test images and
the other half under noise twice: with evenodds, and in the style of the published implementations, that is
Inception eagerly in float32, channels first, 50 images at a time, then numpy.cov and scipy.linalg.sqrtm.
The two take turns block by block, each first in every other one, in one process on one thread.  Both have
the same random weights (no trained ones are needed to compare two ways of computing one function) and the
same preprocessing, `pytorch`.  Needs scipy, CIFAR-10 in $EVENODDS_DATA and about 55 minutes of one core;
finished blocks are kept in --dir, so that a run that was stopped goes on, also to more --images, and a second
process may come --from-the-end.  --algebra measures the distance alone.

Random weights: He et al.'s (2015) initialisation, then the mean and variance of every batch normalization
as 32 training images give them at that place of this network, so that all activations have one scale.  The
shift of the normalization is --shift.  With 0, a random network of this depth is chaotic: a ReLU of N(0, 1)
enlarges the ratio of noise to signal by √(0.5 / 0.34) = 1.21 a layer, until rounding in the last bit becomes
visible.  With 1, the factor is √(0.84 / 0.75) = 1.06.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import numpy as np
import scipy
import torch
from safetensors.torch import load_file, save_file
from scipy import linalg
from torch import Tensor, nn

from evenodds.data.images.constructors import cifar10
from evenodds.features.inception import fast_type, load_inception
from evenodds.features.inception_network import ConvNorm, InceptionNetwork
from evenodds.files import write_with
from evenodds.metrics.frechet import frechet_distance
from evenodds.metrics.moments import Moments
from outcome import provenance, table, write_result

WAYS = ("published", "ours")
BLOCK = 50  # real images, and as many others
BATCH = 50  # of the published implementations
NOISE = 16.0  # standard deviation, of 0..255
CALIBRATION = 32  # training images that normalize the random network
PROJECTED = 64  # dimensions in which few images are enough
ALLOWED = 1e-3
WANTED = 3.0
Seconds = tuple[float, float]  # of the processor in this process, and of the clock on the wall


def timed(work: Callable[[], Any]) -> tuple[Any, Seconds]:
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, (time.process_time() - cpu, time.perf_counter() - wall)


def pictures(images: int) -> tuple[Tensor, Tensor, Tensor]:
    """uint8: for the calibration, real ones, and others under noise; (N, 3, 32, 32) each."""
    dataset = cifar10()
    train = torch.stack([torch.from_numpy(np.asarray(dataset.train.x[i])) for i in range(CALIBRATION)])
    test = torch.stack([torch.from_numpy(np.asarray(x)) for x in dataset.test.x])
    assert 2 * BLOCK <= images <= len(test)
    assert images % (2 * BLOCK) == 0
    real, other = test[:5000], test[5000:]
    noise = torch.randn(other.shape, generator=torch.Generator().manual_seed(1))
    noisy = (other + NOISE * noise).round().clamp(0, 255).to(torch.uint8)
    return train, real[: images // 2], noisy[: images // 2]


def as_published(images: Tensor) -> Tensor:
    """uint8 to what the published implementations feed Inception with."""
    resized = nn.functional.interpolate(images / 255, (299, 299), mode="bilinear", align_corners=False)
    return 2 * resized - 1


def random_network(images: Tensor, shift: float) -> InceptionNetwork:
    torch.manual_seed(0)
    network = InceptionNetwork().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            nn.init.kaiming_normal_(module.conv.weight, nonlinearity="relu")
            nn.init.constant_(module.bn.bias, shift)
            module.bn.momentum = 1.0  # the stored statistics are those of the last batch
    network.train()(as_published(images))
    return network.eval()


@torch.inference_mode()
def published_features(network: InceptionNetwork, images: Tensor) -> Tensor:
    return torch.cat([network(as_published(batch)) for batch in images.split(BATCH)])


def published_score(real: np.ndarray, fake: np.ndarray) -> float:
    """With Heusel et al.'s (2017) remedy for a singular product."""
    means = [features.mean(axis=0) for features in (real, fake)]
    covariances = [np.cov(features, rowvar=False) for features in (real, fake)]
    root = linalg.sqrtm(covariances[0] @ covariances[1])
    if not np.isfinite(root).all():
        offset = 1e-6 * np.eye(len(root))
        root = linalg.sqrtm((covariances[0] + offset) @ (covariances[1] + offset))
    traces = sum(np.trace(covariance) for covariance in covariances)
    return float(np.sum((means[0] - means[1]) ** 2) + traces - 2 * np.trace(root.real))


def our_score(real: Tensor, fake: Tensor) -> float:
    return frechet_distance(Moments.of(real), Moments.of(fake))


def blocks(folder: Path, images: int, shift: float, *, from_the_end: bool = False) -> list[dict[str, Tensor]]:
    """Features of every block both ways, and the seconds; what is in the folder is not done again."""
    calibration, real, fake = pictures(images)
    weights = folder / "network.safetensors"
    if not weights.is_file():
        state = random_network(calibration, shift).state_dict()
        write_with(weights, lambda path: save_file(state, path))
    network = InceptionNetwork()
    network.load_state_dict(load_file(weights))
    network.eval().requires_grad_(False)
    ours = load_inception(weights, preprocessing="pytorch")
    ways = {"published": lambda x: published_features(network, x), "ours": lambda x: ours(x).features}
    numbers = range(images // (2 * BLOCK))
    paths = [folder / f"block{number:03}.safetensors" for number in numbers]
    for number in reversed(numbers) if from_the_end else numbers:
        path = paths[number]
        if not path.is_file():
            part = slice(number * BLOCK, (number + 1) * BLOCK)
            found = measured(ways, torch.cat((real[part], fake[part])), backwards=number % 2 == 1)
            write_with(path, lambda place, found=found: save_file(found, place))
        found = load_file(path)
        seconds = {way: found[f"{way} seconds"].tolist() for way in ways}
        print(f"block {number + 1} of {len(numbers)}: {seconds}", flush=True)
    return [load_file(path) for path in paths]


def measured(
    ways: dict[str, Callable[[Tensor], Tensor]], images: Tensor, *, backwards: bool
) -> dict[str, Tensor]:
    """`way` and `way seconds` (processor, wall) for each way."""
    found = {}
    for way in reversed(ways) if backwards else ways:
        ways[way](images[:2])  # wakes the caches up
        found[way], seconds = timed(lambda way=way: ways[way](images).clone())
        found[f"{way} seconds"] = torch.tensor(seconds, dtype=torch.float64)
    return found


def halves(done: list[dict[str, Tensor]], way: str) -> tuple[Tensor, Tensor]:
    """All real images' features, and all others'."""
    return tuple(
        torch.cat([block[way][part] for block in done]) for part in (slice(BLOCK), slice(BLOCK, None))
    )


def score(way: str, done: list[dict[str, Tensor]]) -> dict[str, Any]:
    """Seconds for features and for the rest, and the score: of all features and in PROJECTED dimensions."""
    real, fake = halves(done, way)
    seconds = torch.stack([block[f"{way} seconds"] for block in done]).sum(0).tolist()
    if way == "ours":
        value, rest = timed(lambda: our_score(real, fake))
    else:
        value, rest = timed(lambda: published_score(real.numpy(), fake.numpy()))
    basis = torch.randn(real.shape[1], PROJECTED, generator=torch.Generator().manual_seed(2))
    basis = torch.linalg.qr(basis).Q
    return {
        "features_s": seconds,
        "statistics_and_score_s": list(rest),
        "total_s": [a + b for a, b in zip(seconds, rest, strict=True)],
        "score": value,
        "score_projected": our_score(real @ basis, fake @ basis),
        "feature_mean": float(real.mean()),
        "feature_spread": float(real.std(0).mean()),
    }


def algebra() -> dict[str, Any]:
    """The distance alone, of two 2,048 × 2,048 covariances with spectra that fall as 1/k: 5,000 examples."""
    random = torch.Generator().manual_seed(3)
    spread = 1 / torch.arange(1, 2049).sqrt()
    sides = [torch.randn(5000, 2048, generator=random) * spread for _ in range(2)]
    sides[1] = (
        sides[1] @ torch.linalg.qr(torch.eye(2048) + 0.02 * torch.randn(2048, 2048, generator=random)).Q
    )
    moments = [Moments.of(side) for side in sides]
    ours = [timed(lambda: frechet_distance(*moments)) for _ in range(3)]
    torch.set_num_threads(os.cpu_count() or 1)
    on_all_cores = [timed(lambda: frechet_distance(*moments))[1] for _ in range(3)]
    torch.set_num_threads(1)
    first, second = (m.covariance.numpy() for m in moments)
    root, theirs = timed(lambda: linalg.sqrtm(first @ second))
    shift = float((moments[0].mean - moments[1].mean).square().sum())
    value = shift + np.trace(first) + np.trace(second) - 2 * np.trace(root.real)
    return {
        "ours_s": min(seconds for _, seconds in ours),
        "ours_on_all_cores_s": min(on_all_cores, key=lambda seconds: seconds[1]),
        "scipy_s": theirs,
        "ours": ours[0][0],
        "scipy": float(value),
        "relative_difference": abs(ours[0][0] / float(value) - 1),
    }


def text(data: dict[str, Any]) -> str:
    ours, theirs, alone = data["ours"], data["published"], data["algebra"]
    parts = {
        "features": "features_s",
        "mean, covariance, distance": "statistics_and_score_s",
        "all": "total_s",
    }
    rows = [
        (what, shown(theirs[key]), shown(ours[key]), ratio(theirs[key], ours[key]))
        for what, key in parts.items()
    ]
    side = data["images"] // 2
    sentences = [
        f"{data['sentence']}  scipy {scipy.__version__}, numpy {np.__version__}.",
        f"{side:,} images of CIFAR-10 and {side:,} others under noise;",
        f"random weights, shift {data['shift']:g}.",
        f"The two ways took turns, {len(data['blocks'])} blocks of {2 * BLOCK} images.",
        "Seconds of the processor; in brackets of the clock, on a machine that had other work too.",
        "",
        table(("part", "published style", f"evenodds, {data['type']}", "ratio"), rows),
        "",
        "Features of single blocks were {:.2f} to {:.2f} times faster.".format(*data["ratio_range"]),
        f"{WANTED:g} times faster in all was wanted: {reached(data['ratio'] >= WANTED)}.",
        "",
        f"Score in the published style {theirs['score']:.6g}, here {ours['score']:.6g}:",
        f"a relative difference of {data['relative_difference']:.2g};",
        f"below {ALLOWED:g} was wanted: {reached(data['relative_difference'] < ALLOWED)}.",
        f"In {PROJECTED} dimensions, a random projection of the same features,",
        f"{theirs['score_projected']:.6g} and {ours['score_projected']:.6g}:",
        f"{data['relative_difference_projected']:.2g}.",
        f"Rounding moves a feature by {data['noise']:.2g} of its spread over images",
        "(median of the features).",
    ]
    if side <= 2048:
        sentences += [
            f"{side} images a side are no more than features: the covariances are singular, and the score",
            "says more about the number of images than about them.",
            "The aim is 10,000 images: without --images, the same command goes on from here.",
        ]
    sentences += [
        "",
        "The distance alone, of two covariances of 2,048 features of 5,000 examples:",
        f"{alone['ours_s'][0]:.2f} s, by the clock with {os.cpu_count()} threads "
        f"{alone['ours_on_all_cores_s'][1]:.2f} s; with scipy's sqrtm {alone['scipy_s'][0]:.1f} s;",
        f"relative difference {alone['relative_difference']:.1g}.",
    ]
    return "\n".join(["# What a Fréchet inception distance costs", "", *sentences])


def reached(goal: bool) -> str:
    return "reached" if goal else "missed"


def shown(seconds: list[float]) -> str:
    return f"{seconds[0]:.1f} s ({seconds[1]:.1f} s)"


def ratio(theirs: list[float], ours: list[float]) -> str:
    return f"{theirs[0] / ours[0]:.2f} ({theirs[1] / ours[1]:.2f})"


def outcome(options: argparse.Namespace) -> dict[str, Any]:
    folder = options.dir / f"shift-{options.shift:g}"
    folder.mkdir(parents=True, exist_ok=True)
    done = blocks(folder, options.images, options.shift, from_the_end=options.from_the_end)
    sentence, machine = provenance(f"python benchmarks/fid_speed.py --images {options.images}")
    ours, published = score("ours", done), score("published", done)
    ratios = [float(block["published seconds"][0] / block["ours seconds"][0]) for block in done]
    exact = halves(done, "published")[0]
    apart = halves(done, "ours")[0] - exact
    return {
        "sentence": sentence,
        "machine": machine,
        "images": options.images,
        "shift": options.shift,
        "type": str(fast_type(torch.device("cpu"))).removeprefix("torch."),
        "published": published,
        "ours": ours,
        "ratio": published["total_s"][0] / ours["total_s"][0],
        "ratio_wall": published["total_s"][1] / ours["total_s"][1],
        "ratio_range": [min(ratios), max(ratios)],
        "relative_difference": abs(ours["score"] / published["score"] - 1),
        "relative_difference_projected": abs(ours["score_projected"] / published["score_projected"] - 1),
        "noise": float((apart.std(0) / exact.std(0)).median()),
        "blocks": [
            {way: block[f"{way} seconds"].tolist() for way in ("published", "ours")} for block in done
        ],
        "algebra": algebra(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000, help="in all; a multiple of 100")
    parser.add_argument("--shift", type=float, default=1.0, help="of the random network's normalizations")
    parser.add_argument("--dir", type=Path, default=Path("fid-speed"), help="where finished blocks are kept")
    parser.add_argument(
        "--from-the-end", action="store_true", help="last block first: for a second process, on another core"
    )
    parser.add_argument("--algebra", action="store_true", help="the distance alone, from given covariances")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.algebra:
        print(algebra())
        return
    data = outcome(options)
    report = text(data)
    print(report)
    write_result("fid_speed", report, data)


if __name__ == "__main__":
    main()
