"""What a run directory looks like: sample pictures, plots, a movie and a page that stands alone."""

from .everything import write_all as write_all
from .history import History as History
from .history import read_history as read_history
from .html import write_report as write_report
from .movie import write_movie as write_movie
from .plots import write_plots as write_plots
