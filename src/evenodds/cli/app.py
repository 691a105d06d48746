"""The table of verbs."""

from __future__ import annotations

from collections.abc import Callable

from cyclopts import App

from .. import __version__
from .audit import audit
from .branch import branch
from .compare import compare
from .data import data_app
from .doctor import doctor
from .evaluate import evaluate
from .explore import explore_app
from .extractors import extractors_app
from .lab import lab
from .outliers import outliers
from .preview import preview
from .recipes import recipes
from .report import report
from .sample import sample
from .train import train

app = App(
    name="evenodds",
    version=__version__,
    help="Train generative adversarial nets and see who is winning.\n\nStart with: evenodds train",
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # main says what became of it
)
# in the order in which they are needed
VERBS: tuple[Callable[..., int], ...] = (
    train,
    sample,
    evaluate,
    compare,
    branch,
    audit,
    outliers,
    lab,
    report,
    recipes,
    doctor,
)
for position, verb in enumerate(VERBS):
    app.command(verb, sort_key=position)
data_app.command(preview)
app.command(data_app)
app.command(explore_app)
app.command(extractors_app)
app.register_install_completion_command()
for option in ("--help", "--version", "--install-completion"):
    app[option].group = "Options"
