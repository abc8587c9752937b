"""The fault matrix, typed by hand from its specification. ``docs/faults.md`` is made from these rows."""

from __future__ import annotations

from tests.support import fault_connections, fault_events, fault_statuses

ROWS = [*fault_connections.ROWS, *fault_events.ROWS, *fault_statuses.ROWS]
