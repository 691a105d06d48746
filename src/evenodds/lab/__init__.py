"""The lab: games on known densities, drawn as Figure 1 of Goodfellow et al. (2014)."""

from .configs import LABS as LABS
from .configs import lab_config as lab_config
from .lab import Lab as Lab
