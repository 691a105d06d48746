"""The metrics by name."""

from __future__ import annotations

from functools import partial

from .frechet import measure_frechet
from .frechet_limits import measure_infinity, measure_intra, needs_classes
from .kernel import measure_kernel
from .labelled import measure_nn_error, needs_labels
from .leaks import measure_leaks, needs_images
from .manifold import measure_manifold, measure_two_sample
from .memorization import measure_memorization, measure_mi_frechet
from .metric import Metric, anything, needs_intra_fid, needs_pictures
from .modes import measure_modes, measure_reverse_kl, needs_modes
from .parzen import measure_parzen, needs_range
from .paths import measure_feature_path_length, measure_ppl, needs_image_paths
from .pixels import measure_sliced
from .score import measure_score
from .within_classes import measure_class_coverage, needs_class_names

METRICS: dict[str, Metric] = {
    "fid": Metric(
        needs_pictures,
        partial(measure_frechet, name="fid"),
        higher_is_better=False,
        samples=50_000,
        says="Fréchet distance of Inception's features (Heusel et al. 2017)",
        needs="features",
        inception=True,
    ),
    "frechet": Metric(
        anything,
        measure_frechet,
        higher_is_better=False,
        samples=10_000,
        says="the same distance in any extractor's features",
        needs="features",
    ),
    "fid_infinity": Metric(
        needs_pictures,
        partial(measure_infinity, name="fid_infinity"),
        higher_is_better=False,
        samples=50_000,
        says="FID extrapolated to infinitely many samples (Chong and Forsyth 2020)",
        needs="features",
        inception=True,
    ),
    "frechet_infinity": Metric(
        anything,
        measure_infinity,
        higher_is_better=False,
        samples=10_000,
        says="the same extrapolation in any extractor's features",
        needs="features",
    ),
    "intra_fid": Metric(
        needs_intra_fid,
        partial(measure_intra, name="intra_fid"),
        higher_is_better=False,
        samples=50_000,
        says="mean FID within the classes (Miyato and Koyama 2018)",
        needs="features",
        inception=True,
    ),
    "intra_frechet": Metric(
        needs_classes,
        measure_intra,
        higher_is_better=False,
        samples=10_000,
        says="the same mean in any extractor's features",
        needs="features",
    ),
    "mifid": Metric(
        needs_pictures,
        partial(measure_mi_frechet, name="mifid"),
        higher_is_better=False,
        samples=50_000,
        says="FID times a penalty for copies of training examples (Bai et al. 2021)",
        needs="features",
        inception=True,
    ),
    "mi_frechet": Metric(
        anything,
        measure_mi_frechet,
        higher_is_better=False,
        samples=10_000,
        says="the same product in any extractor's features",
        needs="features",
    ),
    "kid": Metric(
        needs_pictures,
        partial(measure_kernel, name="kid"),
        higher_is_better=False,
        samples=10_000,
        says="kernel distance of Inception's features, without bias (Bińkowski et al. 2018)",
        needs="features",
        inception=True,
    ),
    "kernel": Metric(
        anything,
        measure_kernel,
        higher_is_better=False,
        samples=10_000,
        says="the same distance in any extractor's features",
        needs="features",
    ),
    "is": Metric(
        needs_pictures,
        partial(measure_score, name="is"),
        higher_is_better=True,
        samples=50_000,
        says="Inception score (Salimans et al. 2016)",
        needs="logits",
        inception=True,
    ),
    "classifier_score": Metric(
        anything,
        measure_score,
        higher_is_better=True,
        samples=10_000,
        says="the same score with any classifier that tells the data's classes apart",
        needs="logits",
    ),
    "precision": Metric(
        anything,
        partial(measure_manifold, name="precision"),
        higher_is_better=True,
        samples=10_000,
        says="share of samples that are near real examples",
        needs="features",
    ),
    "recall": Metric(
        anything,
        partial(measure_manifold, name="recall"),
        higher_is_better=True,
        samples=10_000,
        says="share of real examples that are near samples",
        needs="features",
    ),
    "density": Metric(
        anything,
        partial(measure_manifold, name="density"),
        higher_is_better=True,
        samples=10_000,
        says="how densely real examples lie around samples",
        needs="features",
    ),
    "coverage": Metric(
        anything,
        partial(measure_manifold, name="coverage"),
        higher_is_better=True,
        samples=10_000,
        says="share of real examples with a sample as near as their own neighbours",
        needs="features",
    ),
    "class_coverage": Metric(
        needs_class_names,
        measure_class_coverage,
        higher_is_better=True,
        samples=10_000,
        says="coverage of each class by its own samples, on average",
        needs="either",
    ),
    "two_sample": Metric(
        anything,
        measure_two_sample,
        higher_is_better=False,
        samples=5_000,
        says="how often a nearest neighbour tells samples from real examples; 1/2 is chance",
        needs="features",
    ),
    "nn_error": Metric(
        needs_labels,
        measure_nn_error,
        higher_is_better=False,
        samples=10_000,
        says="error on real examples of a nearest-neighbour classifier taught by samples",
    ),
    "memorization": Metric(
        anything,
        measure_memorization,
        higher_is_better=True,
        samples=10_000,
        says="p-value of a test for copies of training examples; small means copies",
        needs="features",
    ),
    "modes": Metric(
        needs_modes,
        measure_modes,
        higher_is_better=True,
        samples=2_500,
        says="modes captured of known ones",
    ),
    "reverse_kl": Metric(
        needs_modes,
        measure_reverse_kl,
        higher_is_better=False,
        samples=26_000,
        says="how unevenly the same modes are reached: KL(samples over modes ‖ equal frequencies)",
    ),
    "parzen": Metric(
        needs_range,
        measure_parzen,
        higher_is_better=True,
        samples=10_000,
        says="log-likelihood by a Parzen window, as in the 2014 paper",
    ),
    "sliced": Metric(
        anything,
        measure_sliced,
        higher_is_better=False,
        samples=10_000,
        says="Wasserstein distance along random directions of the values' space",
    ),
    "leaks": Metric(
        needs_images,
        measure_leaks,
        higher_is_better=False,
        samples=2_000,
        says="share of samples that look augmented",
    ),
    "ppl": Metric(
        needs_image_paths,
        measure_ppl,
        higher_is_better=False,
        samples=50_000,
        says="perceptual path length (Karras et al. 2019) by the --distance given",
        needs="distance",
    ),
    "feature_path_length": Metric(
        anything,
        measure_feature_path_length,
        higher_is_better=False,
        samples=2_000,
        says="how far features move along a path between latents, over the square of the step",
        needs="features",
    ),
}
