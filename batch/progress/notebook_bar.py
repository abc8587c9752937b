"""A bar of widgets in a notebook. Importing this module imports IPython and ipywidgets, if they are there."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from tqdm import notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

    _Tqdm = notebook.tqdm_notebook[Never]
else:
    _Tqdm = notebook.tqdm_notebook

_BAR = re.compile(r"(?<=%)\|[^|]*\|")
"""The bar in a line of text, where a notebook has its widget."""


class NotebookBar(_Tqdm):
    """tqdm's notebook bar, with the same changes as ``TextBar``: ``drawn`` returns the line."""

    drawn: Callable[[int | None, bool], str] | None = None

    monitor_interval = 0
    _lock = threading.RLock()

    def __init__(self, **options: Any) -> None:
        super().__init__(dynamic_ncols=True, **options)

    @staticmethod
    def is_usable() -> bool:
        """Return whether ipywidgets can be imported."""
        return getattr(notebook, "IProgress", None) is not None

    def display(self, msg: str | None = None, *args: Any, **options: Any) -> None:
        """Update the widgets. tqdm replaces ``<bar/>`` by one, and escapes the text around it."""
        if self.drawn is not None:
            self.container.children[1].max = max(self.total or 0, 1)  # the total may have grown
            msg = _BAR.sub("<bar/>", self.drawn(None, True), count=1)  # noqa: FBT003 - passed by position
        super().display(msg, *args, **options)
