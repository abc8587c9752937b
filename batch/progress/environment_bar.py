"""Choose the bar for a run from Python: widgets in a notebook, text elsewhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from batch.progress.bar import BarReporter


def bar_for_environment() -> BarReporter | None:
    """Return a bar for this process, or ``None`` if it has no stderr.

    A bar of widgets writes failures to stdout, because notebooks show stderr as an error.
    """
    if _is_notebook() and find_spec("ipywidgets") is not None:
        from batch.progress.notebook_bar import NotebookBar  # noqa: PLC0415 - it imports IPython

        if NotebookBar.is_usable():
            return BarReporter(sys.stdout, colour=False, bar=NotebookBar)
    return None if sys.stderr is None else BarReporter(sys.stderr, colour=False)


def _is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook. A kernel has imported both modules itself."""
    ipython, kernel = sys.modules.get("IPython"), sys.modules.get("ipykernel.zmqshell")
    if ipython is None or kernel is None:
        return False
    return isinstance(ipython.get_ipython(), kernel.ZMQInteractiveShell)
