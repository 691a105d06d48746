"""Table 1 of Goodfellow et al. (2014), the MNIST row, and Figures 2 and 3: the authors' configuration re-run.

    python benchmarks/mnist_2014.py --dir runs/mnist-2014 --hours 2      # again to go on where it stopped
    python benchmarks/mnist_2014.py --dir runs/mnist-2014 --lower 0.1    # why: smaller steps at the end
    python benchmarks/mnist_2014.py --dir runs/mnist-2014 --only-report  # from what is there

The stopping point is chosen by the Parzen likelihood of validation images alone; the test images are scored
once.  Beside the protocol's generator an average of its weights is watched, which 2014 did not have: it is
reported as a variation and chooses nothing.  `--lower` goes on from the last checkpoint for a few passes at a
fraction of the learning rate, to see what of the distance is the noise of the steps.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from evenodds import EMA, Config, Dataset, Loader, Sampler, evaluate, recipe, train_step
from evenodds.acceleration import precision
from evenodds.build import build, build_gan
from evenodds.checkpoint import load_tensors, restore_game
from evenodds.data.sources import DATASETS
from evenodds.drawing import save_picture
from evenodds.drawing.canvas import captioned
from evenodds.files import write_text, write_with
from evenodds.report import read_history
from evenodds.sampling import sampler_of
from evenodds.trainer import Session, training
from outcome import RESULTS, provenance, table, write_result

HALF_LIFE = 1_000_000  # training examples (20 passes) of the averaged generator, the variation
YELLOW = (255, 212, 59)  # the frame of Figure 2's nearest training images


def train(config: Config, directory: Path, hours: float) -> None:
    """Train until the config's end or for so many hours, whichever comes first."""
    end = time.monotonic() + 3600 * hours
    average: EMA | None = None
    for progress in training(config, directory):
        session = progress.session
        if average is None:
            average = restored_average(session.gan.generator, directory)
        average.update(session.gan.generator, session.per_iteration)
        if progress.report and "metric/parzen10k" in progress.report:
            report = progress.report
            result = measured(average, session)
            print(
                f"{progress.examples / 50_000:5.0f} passes · validation likelihood "
                f"{report['metric/parzen10k']:.1f} (averaged generator {result:.1f}) · loss D "
                f"{report['loss/discriminator']:.3f} G {report['loss/generator']:.3f} · "
                f"{report['seconds'] / 60:.0f} min",
                flush=True,
            )
        if time.monotonic() > end:
            break


def restored_average(generator: torch.nn.Module, directory: Path) -> EMA:
    """The average as it was saved last, or a new one."""
    average = EMA(generator, HALF_LIFE)
    path = directory / "average.safetensors"
    if path.exists():
        average.generator.load_state_dict(Sampler.load(path).generator.state_dict())
    return average


def measured(average: EMA, session: Session) -> float:
    """Its validation likelihood, noted in average.jsonl; the average itself is saved."""
    sampler = sampler_of(
        average.generator, session.config, session.dataset, examples=session.examples, metrics={}
    )
    sampler.save(session.run.directory / "average.safetensors")
    (result,) = evaluate(sampler, session.dataset, ["parzen10k"], split="validation", reference=False)
    with (session.run.directory / "average.jsonl").open("a") as file:
        file.write(json.dumps({"examples": session.examples, "validation": result.value}) + "\n")
    return result.value


def lower(config: Config, directory: Path, factor: float, passes: int = 12) -> None:
    """Go on from the last checkpoint at `factor` of the learning rate; lower.jsonl notes the likelihoods."""
    dataset = build("data set", DATASETS, config.data)
    gan, rules = build_gan(config, dataset, torch.device("cpu"))
    loader = Loader(dataset.train, config.batch_size, seed=config.seed, value_range=dataset.value_range)
    path = sorted((directory / "checkpoints").glob("0*.safetensors"))[-1]
    tensors, facts = load_tensors(path, "checkpoint")
    restore_game(tensors, gan, EMA(gan.generator, 0), path)
    gan.iteration, loader.position, seen = facts["iteration"], facts["position"], facts["examples"]
    lines = []
    for number in range(passes + 1):
        sampler = sampler_of(gan.generator, config, dataset, examples=seen, metrics={})
        (result,) = evaluate(sampler, dataset, ["parzen10k"], split="validation", reference=False)
        lines.append(json.dumps({"examples": seen, "validation": result.value, "factor": factor}) + "\n")
        print(
            f"{seen / 50_000:.0f} passes at {factor} of the rate · validation {result.value:.1f}", flush=True
        )
        for _ in range(500 if number < passes else 0):
            rules.apply(gan, seen, seen - config.batch_size)
            for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
                optimizer.param_groups[0]["lr"] *= factor
            with precision(config, torch.device("cpu")):
                train_step(gan, loader)
            seen += config.batch_size
    write_text(directory / "lower.jsonl", "".join(lines))


def figure2(sampler: Sampler, train_images: np.ndarray) -> Image.Image:
    """4 × 5 random samples, and framed in yellow the training image nearest to the fifth column's, in L2."""
    samples = sampler.images(range(20)).reshape(4, 5, 28, 28)
    flat = train_images.reshape(-1, 784).astype(np.float32)
    canvas = Image.new("L", (6 * 30, 4 * 30), 90)
    nearest = []
    for row in range(4):
        distances = ((flat - samples[row, 4].reshape(784)) ** 2).sum(1)
        nearest.append(train_images[int(distances.argmin())].reshape(28, 28))
        for column, picture in enumerate([*samples[row], nearest[-1]]):
            canvas.paste(Image.fromarray(picture), (column * 30 + 1, row * 30 + 1))
    picture = canvas.resize((canvas.width * 3, canvas.height * 3), Image.Resampling.NEAREST).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for row in range(4):
        draw.rectangle((450, row * 90, 539, row * 90 + 89), outline=YELLOW, width=3)
    return captioned(picture, "Random samples · yellow: training image nearest to the 5th column")


def figure3(sampler: Sampler) -> Image.Image:
    """Each row: samples along a straight line in z between two random latents."""
    ends = sampler.latents(range(100, 116))
    rows = []
    with torch.inference_mode():
        for start, end in zip(ends[::2], ends[1::2], strict=True):
            z = torch.lerp(start[None], end[None], torch.linspace(0, 1, 12)[:, None])
            rows.append(sampler.generator(z).reshape(12, 28, 28).numpy())
    tiles = np.stack(rows).transpose(0, 2, 1, 3).reshape(8 * 28, 12 * 28)
    picture = Image.fromarray((tiles * 255).astype(np.uint8)).convert("RGB")
    picture = picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST)
    return captioned(picture, "Straight lines in z-space: left and right ends are random latents")


def learning_curve(history: dict[str, list[tuple[float, float]]]) -> Figure:
    """Validation likelihood against passes, with the paper's number and what real images score."""
    figure = Figure(figsize=(9, 5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for name, points in history.items():
        axes.plot([passes for passes, _ in points], [likelihood for _, likelihood in points], label=name)
    axes.axhline(225, color="0.3", linestyle="--", label="225: the paper, test images")
    axes.axhline(242, color="0.6", linestyle=":", label="242: 10,000 real training images, test images")
    axes.set_title("gan-mnist-2014: Parzen-window log-likelihood of validation images")
    axes.set_xlabel("passes over the 50,000 training images")
    axes.set_ylabel("nats")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def report(directory: Path, dataset: Dataset, command: str, config: Config) -> None:
    """Score the test images once, draw the figures, write the result files."""
    best = Sampler.load(directory / "generator-best.safetensors")
    variants = {
        "best by validation (the protocol)": best,
        "weights averaged": Sampler.load(directory / "average.safetensors"),
    }
    scores = {
        name: evaluate(s, dataset, ["parzen10k"], reference=s is best)[0] for name, s in variants.items()
    }
    records = read_history(directory)
    examples, values = records.curve("metric/parzen10k")
    averaged = [json.loads(line) for line in (directory / "average.jsonl").read_text().splitlines()]
    history = {
        "generator": [(seen / 50_000, float(value)) for seen, value in zip(examples, values, strict=True)],
        "weights averaged (half-life 20 passes), not in 2014": [
            (line["examples"] / 50_000, line["validation"]) for line in averaged
        ],
    }
    if (directory / "lower.jsonl").exists():
        lines = [json.loads(line) for line in (directory / "lower.jsonl").read_text().splitlines()]
        name = f"generator, from the last checkpoint at {lines[0]['factor']:g} of the learning rate"
        history[name] = [(line["examples"] / 50_000, line["validation"]) for line in lines]
    write_with(
        RESULTS / "mnist_2014_curve.png", lambda path: learning_curve(history).savefig(path, format="png")
    )
    save_picture(figure2(best, dataset.train.x), RESULTS / "mnist_2014_figure2.png")
    save_picture(figure3(best), RESULTS / "mnist_2014_figure3.png")
    sentence, machine = provenance(command)
    sessions = json.loads((directory / "environment.json").read_text())["sessions"]
    commits = dict.fromkeys(str(session["git_commit"])[:7] for session in sessions)
    started = f"the average begins at pass {averaged[0]['examples'] / 50_000:.0f} or some passes before"
    trained = (
        f"Trained in {len(sessions)} sessions, at commits {', '.join(commits)}, with "
        f"{sessions[-1]['threads']} thread; {started}."
    )
    rows = [
        (
            name,
            variant.facts["examples"] // 50_000,
            f"{score.details['validation']:.1f}",
            f"{score.value:.1f} ± {score.standard_error:.1f}",
            f"{score.details['sigma']:.4f}",
        )
        for (name, variant), score in zip(variants.items(), scores.values(), strict=True)
    ]
    protocol = scores["best by validation (the protocol)"]
    passes, hours = records.examples[-1] / 50_000, records.column("seconds")[-1] / 3600
    text = (
        "# Table 1 (2014), MNIST: the authors' configuration re-run\n\n"
        f"{sentence} Seed {config.seed}; {passes:.0f} passes in {hours:.2f} h of training, matrix products "
        f"in {config.precision}. {trained}\n\n"
        + table(["generator", "passes", "validation, nats", "test, nats", "σ"], rows)
        + f"\n\nPublished: 225 ± 2. {protocol.reference}. {protocol.protocol}. {protocol.warning}\n\n"
        "![learning curve](mnist_2014_curve.png)\n![Figure 2](mnist_2014_figure2.png)\n"
        "![Figure 3](mnist_2014_figure3.png)\n"
    )
    data = {name: score.record() for name, score in scores.items()}
    write_result(
        "mnist_2014",
        text,
        {"machine": machine, "sessions": sessions, "hours": hours, "scores": data, "history": history},
    )
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("runs/mnist-2014"))
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--passes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--lower", type=float)
    parser.add_argument("--only-report", action="store_true")
    options = parser.parse_args()
    changes = {
        "precision": options.precision,
        "threads": options.threads,
        "examples": options.passes * 50_000,
    }
    config = recipe("gan-mnist-2014").model_copy(update=changes)
    if options.lower:
        lower(config, options.dir, options.lower)
    elif not options.only_report:
        train(config, options.dir, options.hours)
    dataset = build("data set", DATASETS, config.data)
    report(options.dir, dataset, f"python benchmarks/mnist_2014.py --passes {options.passes}", config)


if __name__ == "__main__":
    main()
