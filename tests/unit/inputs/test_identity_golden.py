"""Ids and fingerprints never change: an upgrade must not send again what has been answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.identity_shapes import SHAPES, identities
from tests.support.make_identity_golden import GOLDEN, read, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", SHAPES)
def test_a_job_keeps_its_ids_and_fingerprints(name: str, tmp_path: Path) -> None:
    assert identities(tmp_path, SHAPES[name]) == read()[name]


def test_every_shape_stands_in_the_file_once() -> None:
    golden = read()
    assert list(golden) == list(SHAPES)
    assert GOLDEN.read_text(encoding="utf-8") == written(golden)
    for name, pairs in golden.items():
        ids = [pair[0] for pair in pairs]
        assert len(set(ids)) == len(ids) > 0, name
