"""What the theory of 2014 says about two known densities: the best D, its loss, the divergences."""

from .density import Density as Density
from .density import Smoothable as Smoothable
from .distances import Divergences as Divergences
from .distances import Estimate as Estimate
from .distances import divergences as divergences
from .optima import optimal_discriminator as optimal_discriminator
from .optima import optimal_loss as optimal_loss
from .optima import optimal_value as optimal_value
