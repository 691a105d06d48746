"""What the theory of 2014 says about two known densities: the best D, its loss, the divergences."""

from .density import Density as Density
from .density import Smoothable as Smoothable
from .distances import Divergences as Divergences
from .distances import Estimate as Estimate
from .distances import divergences as divergences
from .f_divergences import F_DIVERGENCES as F_DIVERGENCES
from .f_divergences import FDivergence as FDivergence
from .f_divergences import f_divergence as f_divergence
from .optima import optimal_discriminator as optimal_discriminator
from .optima import optimal_loss as optimal_loss
from .optima import optimal_value as optimal_value
from .smoothing import SampledDensity as SampledDensity
from .smoothing import default_bandwidth as default_bandwidth
from .smoothing import jsd_of_samples as jsd_of_samples
from .smoothing import sample_density as sample_density
