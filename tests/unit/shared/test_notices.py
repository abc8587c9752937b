"""The sentences about endpoints that get no more requests."""

from __future__ import annotations

import pytest

from batch.notices import notice_of
from batch.scheduling.decisions import Park


@pytest.mark.parametrize(
    ("park", "notice"),
    [
        (Park("m", "auth", "the key is wrong"), "the key is wrong. Nothing more is sent to m in this run."),
        (Park("m", "auth", "Check the key."), "Check the key. Nothing more is sent to m in this run."),
        (
            Park("m", "connect", "Is it running?"),
            "Is it running? Nothing more is sent to m in this run.",
        ),
        (Park("m", "http_429", "busy", until=130.0), "m is parked for 30 s: busy"),
    ],
)
def test_a_parked_endpoint(park: Park, notice: str) -> None:
    assert notice_of(park, now=100.0) == notice
