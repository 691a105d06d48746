"""The table of verbs."""

from __future__ import annotations

from cyclopts import App

from .. import __version__
from .data import app as data_app
from .doctor import doctor
from .evaluate import evaluate
from .recipes import recipes
from .report import report
from .sample import sample
from .train import train

app = App(
    name="evenodds",
    version=__version__,
    help="Train generative adversarial nets and see who is winning.\n\nStart with: evenodds train",
    result_action="return_value",
)
for verb in (train, sample, evaluate, report, recipes):
    app.command(verb)
app.command(data_app)
app.command(doctor)
app.register_install_completion_command()
