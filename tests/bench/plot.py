"""The figures as a picture: one panel a scenario, bars on a logarithmic axis. Runs where matplotlib is.

::

    python -m tests.bench.plot docs/bench.json docs/bench.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OURS, PEER = "#1b6ca8", "#b8b8b8"


def plot(value: dict[str, Any], target: Path) -> None:
    """Draw the medians of ``bench.json``."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("Agg")
    medians = {name: bars for name, bars in value["medians"].items() if len(bars) > 2}
    figure, panels = pyplot.subplots(1, len(medians), figsize=(3.4 * len(medians), 3.4), squeeze=False)
    names = max((list(bars) for bars in medians.values()), key=len)[::-1]  # one may have failed somewhere
    for panel, (scenario, bars) in zip(panels[0], medians.items(), strict=True):
        _panel(panel, names, bars)
        panel.set_title(scenario)
        panel.set_xlabel(value["unit"][scenario].replace("microseconds", "µs"))
        panel.set_yticks(range(len(names)), names if panel is panels[0][0] else [""] * len(names))
    figure.tight_layout()
    figure.savefig(target, dpi=130)


def _panel(panel: Any, names: list[str], bars: dict[str, float]) -> None:
    for place, name in enumerate(names):
        if name in bars:
            panel.barh(place, bars[name], color=OURS if name.startswith("promptjobs") else PEER)
            panel.text(bars[name] * 1.1, place, _number(bars[name]), va="center", fontsize=8)
    panel.set_xscale("log")
    panel.set_xlim(min(bars.values()) / 2, max(bars.values()) * 4)
    panel.spines[["top", "right"]].set_visible(False)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"


if __name__ == "__main__":
    plot(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
