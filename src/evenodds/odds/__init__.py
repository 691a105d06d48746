"""Odds put to work: a calibrated discriminator knows p_data/p_g = D/(1 − D); 2014, Eq. 2."""

from __future__ import annotations

from .judge import Judge, judge_of
from .selection import Ceiling, Selection, ceiling, metropolis_hastings, rejection

__all__ = ["Ceiling", "Judge", "Selection", "ceiling", "judge_of", "metropolis_hastings", "rejection"]
