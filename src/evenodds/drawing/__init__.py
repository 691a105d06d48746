"""Pictures of arrays: grids of images, scatters, histograms.  Knows nothing of runs."""

from .samples import draw_samples as draw_samples
from .samples import save_picture as save_picture
