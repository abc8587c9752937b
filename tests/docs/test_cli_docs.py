"""The page about the command line says what the command line says."""

from __future__ import annotations

from batch.cli import COMMANDS
from tests.docs.make_cli_docs import PAGE, page


def test_the_page_is_current() -> None:
    """If this fails: ``python -m tests.docs.make_cli_docs``."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_command_has_its_section_and_no_line_is_too_long() -> None:
    text = page()
    for name in COMMANDS:
        assert f"\n## promptjobs {name}\n" in text
    assert max(map(len, text.splitlines())) <= 100
