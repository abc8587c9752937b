"""What came out: a table for people and a value for programs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.bench.scenarios import COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.scenarios import Scenario

GOALS = {
    ("short", "g4f, AutonomousAI class"): 3,
    ("short", "openai SDK"): 15,
    ("long", "g4f, AutonomousAI class"): 8,
    ("long", "openai SDK"): 80,
    ("long chunked", "g4f, AutonomousAI class"): 4.5,
    ("long chunked", "openai SDK"): 50,
    ("paced", "g4f, AutonomousAI class"): 7,
    ("paced", "openai SDK"): 15,
}
"""How many times less than a peer the whole command is to cost."""


@dataclass
class Figures:
    """Microseconds of CPU by scenario and client, each with all its repetitions."""

    runs: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    observations: dict[str, float] = field(default_factory=dict)

    def add(self, scenario: Scenario, client: str, per_request: float) -> None:
        """Take one repetition in, given in microseconds a request."""
        self.units[scenario.name] = scenario.unit
        figure = per_request / scenario.events if scenario.unit == "event" else per_request
        self.runs.setdefault((scenario.name, client), []).append(figure)

    def median(self, scenario: str, client: str) -> float | None:
        """The figure, where there is one."""
        runs = self.runs.get((scenario, client))
        return statistics.median(runs) if runs else None

    def ratio(self, scenario: str, client: str) -> float | None:
        """How many times as much as the whole command the client cost."""
        own, other = self.median(scenario, COMMAND.name), self.median(scenario, client)
        return other / own if own and other else None

    def clients(self) -> list[str]:
        """Whoever was measured, in order."""
        return list(dict.fromkeys(client for _, client in [*self.runs, *self.failures]))

    def as_value(self, versions: Mapping[str, str], machine: str) -> dict[str, Any]:
        """All of it, for a JSON file."""
        return {
            "machine": machine,
            "versions": dict(versions),
            "unit": {name: f"microseconds of CPU a {unit}" for name, unit in self.units.items()},
            "medians": {
                scenario: {
                    client: round(median, 2)
                    for client in self.clients()
                    if (median := self.median(scenario, client)) is not None
                }
                for scenario in self.units
            },
            "runs": {
                scenario: {
                    client: [round(run, 2) for run in runs]
                    for (name, client), runs in self.runs.items()
                    if name == scenario
                }
                for scenario in self.units
            },
            "failures": {f"{scenario}: {client}": why for (scenario, client), why in self.failures.items()},
            "observations": {name: round(value, 3) for name, value in self.observations.items()},
        }


def table(figures: Figures) -> str:
    """The medians as a Markdown table, peers with how many times as much as the command they cost."""
    heads = [f"{name}, µs/{unit}" for name, unit in figures.units.items()]
    lines = ["| client | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for client in figures.clients():
        cells = [_cell(figures, scenario, client) for scenario in figures.units]
        lines.append(f"| {client} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figures: Figures, scenario: str, client: str) -> str:
    median, ratio = figures.median(scenario, client), figures.ratio(scenario, client)
    if median is None:
        return "failed" if (scenario, client) in figures.failures else "–"
    number = f"{median:.0f}" if median >= 20 else f"{median:.2f}"
    return number if client == COMMAND.name or ratio is None else f"{number} (×{ratio:.1f})"


def goals(figures: Figures) -> str:
    """Each goal with what was reached."""
    lines = []
    for (scenario, client), goal in GOALS.items():
        ratio = figures.ratio(scenario, client)
        if ratio is not None:
            word = "reached" if ratio >= goal else "missed"
            lines.append(f"{word}: {scenario}, 1/{ratio:.1f} of {client} (goal 1/{goal:g})")
    return "\n".join(lines)
