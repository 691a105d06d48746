"""What every signal means, in one sentence each; the names are those of metrics.jsonl."""

from __future__ import annotations

from collections.abc import Mapping

SIGNALS: Mapping[str, str] = {
    "gauge/value": "V(D, G) in nats on held-out data; calibrated first where D's score is no log odds",
    "gauge/value/error": "its standard error",
    "gauge/jsd": "(V + log 4)/2, so many nats of Jensen-Shannon divergence at least; 0.693 is the most",
    "gauge/jsd/low": "the lower end of its 95 % interval",
    "gauge/tv": "2 · accuracy − 1, so much total variation at least; 1 is the most",
    "gauge/tv/low": "the lower end of its 95 % interval",
    "signal/sign": "ADA's r_t, mean sign of D's logits on training data; 1: D is sure of all of it",
    "signal/overfit": "ADA's r_v: 0, D takes held-out data for what it learnt from; 1, for generated",
    "signal/overfit/error": "its standard error",
    "signal/gradient": "RMS of |∂ loss of G / ∂ logit| over fakes; near 0, G's loss is saturated",
    "signal/gradient_norm": "Euclidean norm of the gradient that G's last step used",
    "signal/diversity": "median distance of samples over that of held-out data, within classes if labelled",
    "signal/duplicates": "share of pairs of samples nearer than near-duplicates among held-out data are",
    "signal/duplicates_floor": "the same share among held-out data",
    "signal/support": "different samples there seem to be, by the birthday paradox; few for a collapse",
    "signal/coverage": "of the data's clusters (or known modes) that held-out data reach, the share reached",
    "signal/balance": "total variation of the shares of the clusters, beyond what sampling noise explains",
    "signal/energy": "energy distance to held-out data over the mean distance of two real examples",
    "signal/energy_floor": "what that is below for real examples, 95 times in 100",
    "signal/diversity_raw": "as signal/diversity, of the newest generator, not the averaged one",
    "signal/duplicates_raw": "as signal/duplicates, of the newest generator",
    "signal/support_raw": "as signal/support, of the newest generator",
    "signal/coverage_raw": "as signal/coverage, of the newest generator",
    "signal/balance_raw": "as signal/balance, of the newest generator",
    "signal/energy_raw": "as signal/energy, of the newest generator",
    "signal/drift": "RMS move of fixed latents' samples since the last report over the data's RMS radius",
    "signal/return": "1 − net move / path over 2 reports: 0 straight ahead, 1 back, 0.3 at random",
    "signal/return/8": "the same over 8 reports: 0 straight ahead, 1 back, 0.65 at random",
    "signal/memorization": "z of samples being nearer to training than to held-out data; 5 and more: copies",
    "signal/memorization/p": "the probability of that without memorization, were this the only look",
    "signal/copying": "z of Meehan et al. (2020): above 0, nearer to training data than real examples",
    "signal/batch_norm": "energy distance of samples by the batch's statistics from those by running ones",
    "signal/seconds": "what measuring all this took",
}
