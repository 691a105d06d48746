"""A loss put to the test: does it teach both players, and does its game come to rest?

loading.py     a loss by its name, or from a Python file that its user names
contract.py    what Algorithm 1 asks of a loss: shapes, finite values, gradients, directions
optimum.py     the best discriminator against known densities, and the one that equal densities leave
equilibrium.py the Dirac-GAN: eigenvalues and paths, with and without R1
games.py       short games on known densities
picture.py     the Dirac-GAN's paths as a picture
"""

from __future__ import annotations

from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import diagnose as diagnose
from .findings import Finding as Finding
from .loading import NamedLoss as NamedLoss
from .loading import load_loss as load_loss
