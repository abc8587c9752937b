"""A bar of widgets in a notebook. Importing this module imports IPython and ipywidgets, if they are there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tqdm import notebook

if TYPE_CHECKING:
    from typing import Never

    _Tqdm = notebook.tqdm_notebook[Never]
else:
    _Tqdm = notebook.tqdm_notebook


class NotebookBar(_Tqdm):
    """tqdm's notebook bar, with the same changes as ``TextBar``."""

    speed = 0.0

    monitor_interval = 0
    _lock = threading.RLock()

    @staticmethod
    def is_usable() -> bool:
        """Return whether ipywidgets can be imported."""
        return getattr(notebook, "IProgress", None) is not None

    @property
    def format_dict(self) -> Any:
        return {**super().format_dict, "rate": self.speed or None}

    def resize(self, total: int) -> None:
        """Change the total, in requests: the widget has a maximum of its own."""
        self.total = total
        self.container.children[1].max = max(total, 1)
