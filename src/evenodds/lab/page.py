"""figure1.html: the picture as it is redrawn, at the end the movie and the stills; no server, no net."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

from ..files import write_text

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em;
       color: #212529; background: #fff }
img { max-width: 100%; height: auto }
p { color: #495057 }
""".strip()
# Loaded before it is shown: nothing flickers, and a picture that is missing changes nothing.
RELOAD = """
<script>
setInterval(function () {
  var next = new Image();
  next.onload = function () { document.getElementById("live").src = next.src; };
  next.src = "figure1.png?" + Date.now();
}, 1000);
</script>
""".strip()


def write_live_page(path: Path, title: str) -> None:
    """A page that shows figure1.png and loads it again every second.

    Raises:
        RunError: it can't be written.
    """
    body = (
        "<p>Redrawn while training goes on. Reload this page at its end: it then shows the movie and the "
        'stills.</p>\n<img id="live" src="figure1.png" alt="the game as it stands">\n' + RELOAD
    )
    write_text(path, _page(title, body))


def write_last_page(path: Path, title: str, files: Mapping[str, Path]) -> None:
    """A page of all that was made: the movie, the last picture and the stills.

    Args:
        path: of the page.
        title: its heading.
        files: what -> file beside the page.

    Raises:
        RunError: it can't be written.
    """
    parts = [
        f'<h2>{html.escape(what)}</h2>\n<img src="{html.escape(file.name)}" alt="{html.escape(what)}">'
        for what, file in files.items()
    ]
    write_text(path, _page(title, "\n".join(parts)))


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )
