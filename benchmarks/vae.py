"""A variational autoencoder beside the adversarial nets, at equal size and equal cost, on MNIST.

    python benchmarks/vae.py --dir runs/vae                 # trains both, then reports; again to go on
    python benchmarks/vae.py --dir runs/vae --only-report   # from the generators that are there by then

The GAN is the recipe gan-mnist without labels.  The VAE (Kingma and Welling 2014, section 3 and appendix C.1:
Bernoulli pixels, diagonal Gaussian posterior) has the GAN's generator as decoder and the GAN's
discriminator as encoder, whose last layer gives the posterior's mean and log-variance instead of a logit.
Both are trained in turns in one process, so that whatever else the machine does slows both alike; the VAE,
which is cheaper per image, is kept after as many images as the GAN saw and again after as many CPU seconds.
Its samples are the means of the pixels, as is usual.  Writes results/vae.{md,json,png}; needs MNIST.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from evenodds import EMA, Config, Dataset, Loader, Sampler, evaluate, recipe
from evenodds.build import build
from evenodds.checkpoint import below, restore_optimizer
from evenodds.data.sources import DATASETS
from evenodds.drawing import draw_samples, save_picture
from evenodds.evaluation import METRICS, unit_interval
from evenodds.files import write_text, write_with
from evenodds.networks import MLPGenerator
from evenodds.sampling import sampler_of
from evenodds.trainer import Progress, training
from outcome import RESULTS, provenance, table, write_result

SAMPLES = 10_000
LEARNING_RATE = 1e-3  # of the VAE's Adam, with its published betas; chosen beforehand, not tuned
HALF_LIFE = 10_000.0  # training examples, of both; the recipe's grows with the images seen
TURN = 50  # iterations of the GAN before the VAE catches up; divides KEPT / batch size
INKED = (0.1, 0.9)  # between these, a pixel is neither black nor white
MEASURED = ("parzen10k", "frechet10k")  # as far as this version has them
KEPT = 25_600  # images; whenever the GAN or the VAE has seen so many more, what there is is kept
NAMES = ("GAN", "VAE, as many images", "VAE, as many CPU seconds")
Images = NDArray[np.float32]  # (N, 1, H, W) in [0, 1]


class VAE(nn.Module):
    """q(z|x) = N(μ(x), diag σ²(x)) and p(x|z) = Bernoulli(σ(2 g(z))), Kingma and Welling (2014), appendix C.

    With the decoder's output g, tanh(g) = 2 σ(2g) − 1 is the pixels' mean in [−1, 1]: the decoder's weights
    make a generator of the GAN's own class.

    Args:
        sample_shape: (C, H, W) of an image.
        latent_dim: length L of z.
        widths: hidden units, layer by layer, of either half.
    """

    def __init__(self, sample_shape: tuple[int, ...], latent_dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        fan_in = (int(np.prod(sample_shape)), *widths[:-1])
        layers = [
            layer
            for pair in zip(fan_in, widths, strict=True)
            for layer in (nn.Linear(*pair), nn.LeakyReLU(0.2))
        ]
        self.encoder = nn.Sequential(nn.Flatten(), *layers, nn.Linear(widths[-1], 2 * latent_dim))
        self.decoder = MLPGenerator(
            latent_dim=latent_dim, sample_shape=sample_shape, widths=widths, output="linear"
        )

    def bound(self, x: Tensor, noise: Tensor) -> Tensor:
        """log p(x|z) − KL(q(z|x) ‖ N(0, I)) in nats, Eq. 10 with one draw of z.

        Args:
            x: (N, C, H, W) in [0, 1].
            noise: (N, L), from N(0, I).

        Returns:
            (N,), in expectation at most log p(x).
        """
        mean, log_variance = self.encoder(x).chunk(2, 1)  # (N, L) each
        z = mean + (log_variance / 2).exp() * noise
        logits = 2 * self.decoder(z)
        reconstruction = -binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return reconstruction - divergence


class Rival:
    """The VAE while it is trained; none of its random numbers are the GAN's.

    Args:
        config: of the GAN: sizes, batch, seed, and half-life of the averaged weights, which both have.
        dataset: that both are trained on.
    """

    def __init__(self, config: Config, dataset: Dataset) -> None:
        self.config, self.dataset = config, dataset
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            widths = tuple(config.generator.network["widths"])
            self.vae = VAE(dataset.sample_shape, config.prior["dim"], widths)
        self.average = EMA(self.vae, config.ema_half_life)
        self.loader = Loader(dataset.train, config.batch_size, seed=config.seed, value_range=(0, 1))
        self.random = torch.Generator().manual_seed(config.seed)
        self.optimizer = torch.optim.Adam(self.vae.parameters(), lr=LEARNING_RATE, fused=True)
        self.examples, self.seconds = 0, 0.0

    def step(self) -> None:
        """One minibatch."""
        begun = time.process_time()
        x = next(self.loader).x
        noise = torch.randn(len(x), self.config.prior["dim"], generator=self.random)
        loss = -self.vae.bound(x, noise).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.examples += len(x)
        self.average.update(self.vae, len(x))
        self.seconds += time.process_time() - begun

    def state(self) -> dict[str, Tensor]:
        """All that training depends on, besides the number of examples and the seconds."""
        networks = {"vae": self.vae, "average": self.average.generator}
        tensors = {
            f"{name}/{key}": value
            for name, one in networks.items()
            for key, value in one.state_dict().items()
        }
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam/{number}/{name}": value for name, value in moments.items()}
        return tensors | {"random": self.random.get_state()}

    def restore(self, tensors: dict[str, Tensor], examples: int, seconds: float) -> None:
        """Go on from a state."""
        self.vae.load_state_dict(below(tensors, "vae"))
        self.average.generator.load_state_dict(below(tensors, "average"))
        restore_optimizer(self.optimizer, below(tensors, "adam"))
        self.random.set_state(tensors["random"])
        self.examples, self.seconds = examples, seconds
        self.loader.position = examples // self.config.batch_size

    def save(self, path: Path) -> dict[str, Any]:
        """The averaged decoder, as a generator file like the GAN's; what it is, as data."""
        network = {**self.config.generator.network, "output": "tanh"}
        decoder = MLPGenerator(
            latent_dim=self.config.prior["dim"],
            sample_shape=self.dataset.sample_shape,
            widths=network["widths"],
            output="tanh",
        )
        decoder.load_state_dict(self.average.generator.decoder.state_dict())
        config = self.config.model_copy(update={"recipe": "vae"})
        sampler = sampler_of(decoder, config, self.dataset, examples=self.examples, metrics={})
        sampler.save(path)
        return {
            "examples": self.examples,
            "cpu_seconds": self.seconds,
            "validation_bound": self.held_out_bound(),
            "weights": weights(self.vae),
        }

    @torch.no_grad()
    def held_out_bound(self) -> float:
        """Mean over the validation images, nats."""
        x = torch.from_numpy(unit_interval(self.dataset.validation.x, None))
        noise = torch.randn(len(x), self.config.prior["dim"], generator=torch.Generator().manual_seed(0))
        return float(self.average.generator.bound(x, noise).mean())


class Costs:
    """costs.json: what each kept generator file has cost, by its name."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.path = directory, directory / "costs.json"
        self.known: dict[str, Any] = {}
        if self.path.is_file():
            self.known = json.loads(self.path.read_text(encoding="utf-8"))

    def add(self, file: str, cost: dict[str, Any]) -> None:
        self.known[file] = cost
        write_text(self.path, json.dumps(self.known, indent=2) + "\n")

    def files(self) -> dict[str, str]:
        """Of the table's rows, after as many of the GAN's images as there are."""
        images = max(int(file[4:-12]) for file in self.known if file.startswith("gan-"))
        names = (f"gan-{images}", f"vae-{images}", f"vae-beside-{images}")
        return {row: f"{name}.safetensors" for row, name in zip(NAMES, names, strict=True)}


def train(config: Config, dataset: Dataset, directory: Path) -> None:
    """Both in turns, the VAE always up to the GAN's CPU seconds."""
    rival, costs, spent = Rival(config, dataset), Costs(directory), None
    mark = time.process_time()
    for progress in training(config, directory / "gan", dataset=dataset):
        seen = progress.examples
        if spent is None:
            spent = resumed(rival, costs, seen - config.batch_size)
        if (seen // config.batch_size) % TURN:
            continue
        spent += time.process_time() - mark
        while rival.seconds < spent:
            rival.step()
            if rival.examples % KEPT == 0:
                file = f"vae-{rival.examples}.safetensors"
                costs.add(file, rival.save(directory / file))
        if seen % KEPT == 0:
            keep(progress, rival, costs, spent)
        mark = time.process_time()


def resumed(rival: Rival, costs: Costs, seen: int) -> float:
    """The VAE as it was when the GAN's last checkpoint was saved, and both one's CPU seconds by then."""
    if not seen:
        return 0.0
    beside = costs.known[f"vae-beside-{seen}.safetensors"]
    tensors = load_file(costs.directory / f"state-{seen}.safetensors")
    rival.restore(tensors, beside["examples"], beside["cpu_seconds"])
    return float(costs.known[f"gan-{seen}.safetensors"]["cpu_seconds"])


def keep(progress: Progress, rival: Rival, costs: Costs, spent: float) -> None:
    """Generator files of both, what they have cost, and the VAE's state."""
    seen, session, directory = progress.examples, progress.session, costs.directory
    file = f"vae-beside-{seen}.safetensors"
    costs.add(file, rival.save(directory / file))
    average = session.ema.generator
    sampler = sampler_of(average, session.config, session.dataset, examples=seen, metrics={})
    sampler.save(directory / f"gan-{seen}.safetensors")
    write_with(directory / f"state-{seen}.safetensors", lambda path: save_file(rival.state(), path))
    costs.add(f"gan-{seen}.safetensors", {"examples": seen, "cpu_seconds": spent})
    print(
        f"{spent:.0f} CPU s each: GAN {seen:,} images, VAE {rival.examples:,}, "
        f"bound {costs.known[file]['validation_bound']:.1f} nats",
        flush=True,
    )


def weights(module: nn.Module) -> int:
    """How many numbers a network has learnt."""
    return sum(parameter.numel() for parameter in module.parameters())


def gradient_energy(images: Images) -> float:
    """Mean squared difference of neighbouring pixels, across and down: what blurring takes away first."""
    down = np.diff(images, axis=-2)
    across = np.diff(images, axis=-1)
    return float((np.square(down, dtype=np.float64).mean() + np.square(across, dtype=np.float64).mean()) / 2)


def gray_share(images: Images) -> float:
    """Of the pixels that have ink, the share that is neither nearly black nor nearly white."""
    low, high = INKED
    inked = images > low
    return float((inked & (images < high)).sum() / inked.sum())


def described(name: str, images: Images, real: Images) -> dict[str, Any]:
    """What can be said of images alone."""
    return {
        "name": name,
        "gradient_energy": gradient_energy(images) / gradient_energy(real),
        "gray_share": gray_share(images),
    }


def measured(name: str, sampler: Sampler, dataset: Dataset, real: Images) -> dict[str, Any]:
    """One row: the metrics that this version has, and the sharpness of the same samples."""
    known = [metric for metric in MEASURED if metric.removesuffix("10k") in METRICS]
    samples = unit_interval(sampler.images(range(SAMPLES)), None)
    results = evaluate(sampler, dataset, known, reference=name == "GAN")
    return described(name, samples, real) | {result.name: result.record() for result in results}


def strip(samplers: dict[str, Sampler], dataset: Dataset) -> Image.Image:
    """5 × 16 images of each, under each other: real test images, the GAN's, the VAE's."""
    assert dataset.test is not None
    parts = {"real test images": dataset.test.x[:80]}
    parts |= {name: sampler.images(range(80)) for name, sampler in samplers.items()}
    pictures = [draw_samples(x, value_range=(0, 255), title=name, columns=16) for name, x in parts.items()]
    whole = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white")
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole


def report(config: Config, dataset: Dataset, directory: Path) -> None:
    """Measure the generator files on the test images, and write the results."""
    assert dataset.test is not None
    kept = Costs(directory)
    costs = {row: kept.known[file] for row, file in kept.files().items()}
    samplers = {row: Sampler.load(directory / file) for row, file in kept.files().items()}
    test = unit_interval(dataset.test.x, None)
    train_images = dataset.train.x[np.random.default_rng(0).permutation(len(dataset.train))[:SAMPLES]]
    rows = [measured(name, sampler, dataset, test) for name, sampler in samplers.items()]
    rows.insert(0, described("real training images", unit_interval(train_images, None), test))
    save_picture(strip(samplers, dataset), RESULTS / "vae.png")
    seen = costs["GAN"]["examples"]
    sentence, machine = provenance(f"python benchmarks/vae.py --examples {seen} --seed {config.seed}")
    head, body = columns(rows, costs)
    text = page(sentence, table(head, body), rows, costs, config, samplers)
    write_result(
        "vae",
        text,
        {"machine": machine, "costs": costs, "rows": rows, "config": config.model_dump(mode="json")},
    )
    print(text)


def columns(rows: list[dict[str, Any]], costs: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and cells of the table; a metric that this version lacks has no column."""
    known = [metric for metric in MEASURED if any(metric in row for row in rows)]
    head = ["samples", "images seen", "CPU s", "sharpness", "gray share", *known]
    body = []
    for row in rows:
        cost = costs.get(row["name"], {})
        seen = f"{cost['examples']:,}" if cost else "–"
        seconds = f"{cost['cpu_seconds']:.0f}" if cost else "–"
        values = [cell(metric, row, rows) for metric in known]
        body.append(
            [row["name"], seen, seconds, f"{row['gradient_energy']:.2f}", f"{row['gray_share']:.2f}", *values]
        )
    return head, body


def cell(metric: str, row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The number; in the row of real images, what the metric itself says that they score."""
    if metric in row:
        error = row[metric]["standard_error"]
        digits = 3 if abs(row[metric]["value"]) < 2 else 1
        return f"{row[metric]['value']:.{digits}f}" + (f" ± {error:.1f}" if error else "")
    (first,) = (other[metric] for other in rows if other["name"] == "GAN")
    bound = first.get("floor") if first.get("floor") is not None else first.get("ceiling")
    if bound is None:
        return "–"
    return f"{bound:.{3 if abs(bound) < 2 else 1}f}"


def page(
    sentence: str,
    body: str,
    rows: list[dict[str, Any]],
    costs: dict[str, Any],
    config: Config,
    samplers: dict[str, Sampler],
) -> str:
    generator = weights(samplers["GAN"].generator)
    own = costs["VAE, as many CPU seconds"]
    gan = rows[1]["parzen10k"]
    protocols = " ".join(
        f"{metric}: {rows[1][metric]['protocol']}." for metric in MEASURED if metric in rows[1]
    )
    return (
        "# A variational autoencoder beside the adversarial nets, MNIST\n\n"
        f"{sentence} Seed {config.seed}; one run each. The GAN is the recipe gan-mnist without labels; the "
        f"VAE (Kingma and Welling 2014) has its generator ({generator:,} weights) as decoder and its "
        f"discriminator as encoder, {own['weights']:,} weights together. Trained in turns in one "
        "process on one thread, until both had taken the same CPU seconds; a VAE's step is cheaper. Samples "
        f"of both come from an average of the weights (half-life {config.ema_half_life:,.0f} images); the "
        "VAE's are the means of the pixels."
        f"\n\n{body}\n\n"
        "Sharpness: squared differences of neighbouring pixels, over the real test images'. Gray share: of "
        "the pixels with ink (above 0.1), those below 0.9. The row of real images: a tenth of the training "
        f"images in the samples' place. The VAE's own bound on log p(x), validation images, Bernoulli: "
        f"{own['validation_bound']:.1f} nats after {own['examples']:,} images.\n\n"
        f"{protocols}\n\nPublished, Parzen with 10,000 samples: adversarial nets 225 ± 2 (Goodfellow et al. "
        "2014), VAE 325 ± 2 (as quoted by Yeung et al. 2017). "
        f"{gan['warning']}\n\n![real images, the GAN's, the VAE's](vae.png)\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("runs/vae"))
    parser.add_argument("--examples", type=int, default=1_024_000, help="that the GAN sees")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-report", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    changes = {
        "conditional": False,
        "examples": options.examples,
        "ema_half_life": HALF_LIFE,
        "seed": options.seed,
        "threads": 1,
        "referee": False,  # what follows costs time that is not training's
        "metrics": (),
        "metrics_every": "never",
        "report_every": 102_400,
        "samples_every": "never",
        "checkpoint_every": KEPT,
    }
    config = recipe("gan-mnist").model_copy(update=changes)
    dataset = build("data set", DATASETS, config.data)
    if not options.only_report:
        train(config, dataset, options.dir)
    report(config, dataset, options.dir)


if __name__ == "__main__":
    main()
