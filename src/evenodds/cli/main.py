"""The entry point: run a verb, and turn whatever goes wrong into one sentence and an exit status.

0 done; 1 a fault of evenodds, with its traceback; 2 the user can mend it; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

OK, FAULT, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `evenodds` with these arguments, by default those of the process; its exit status."""
    _tolerate_narrow_encodings()
    try:
        from .app import app  # here, so that Ctrl-C while it is imported is quiet, too

        tokens = sys.argv[1:] if arguments is None else list(arguments)
        code = app(tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except KeyboardInterrupt as interruption:
        print(f"evenodds: {str(interruption) or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as head, has left.  Python flushes stdout once more at exit: give it a place to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:  # the outermost frame: reported in full below, never swallowed
        return _failed(error)


def _failed(error: Exception) -> int:
    """Say what went wrong on stderr; the exit status."""
    from cyclopts import CycloptsError

    from ..errors import EvenoddsError

    refused = isinstance(error, EvenoddsError | CycloptsError)
    if not refused or os.environ.get("EVENODDS_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
    if isinstance(error, CycloptsError):
        command = " ".join(error.command_chain or ())
        help_of = f"evenodds {command}".strip()
        print(f"evenodds: {' '.join(str(error).split())} See: {help_of} --help", file=sys.stderr)
    elif refused:
        print(f"evenodds: {error}", file=sys.stderr)
    else:
        print(
            "evenodds: this is a fault of evenodds, not yours; please report it with the lines above",
            file=sys.stderr,
        )
    return REFUSED if refused else FAULT


def _tolerate_narrow_encodings() -> None:
    """A terminal that lacks a sign such as − shows a question mark instead of ending the training."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # absent where a notebook or a test replaced it
        if reconfigure is not None:
            reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
