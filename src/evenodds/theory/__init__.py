"""What the theory of 2014 says about two known densities: the best D, its loss, the divergences."""

from .density import Density as Density
from .density import Smoothable as Smoothable
