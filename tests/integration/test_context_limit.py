"""``run --dry-run`` warns of requests that the embedded model would reject as too long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.cli_support import Cli

SENTENCE = "The harbour is quiet in the morning and the boats are still. "
"""20 tokens by the estimate, which is a third of the bytes."""


def dry_run(cli: Cli, engine: str | None, inputs: object, **job: object) -> list[str]:
    """What a dry run says on standard error."""
    text = {
        "provider": "autonomous",
        "base_url": "local",
        "engine": engine,
        "model": "summary",
        "prompt": "{{ text }}",
        "params": {"max_tokens": 400},
        "inputs": inputs,
        **job,
    }
    (cli.folder / "job.yaml").write_text(json.dumps({key: value for key, value in text.items() if value}))
    ended = cli("run", "--dry-run", "job.yaml")
    assert ended.code == 0
    return ended.stderr.splitlines()


@pytest.fixture
def documents(cli: Cli) -> dict[str, list[str]]:
    (cli.folder / "documents").mkdir()
    for name, sentences in {"short": 10, "fits": 150, "long": 400, "longest": 900}.items():
        (cli.folder / "documents" / f"{name}.txt").write_text(SENTENCE * sentences)
    return {"files": ["documents/*.txt"]}


def test_documents_that_are_too_long_are_counted_with_the_way_out(
    cli: Cli, documents: dict[str, list[str]]
) -> None:
    (notice,) = dry_run(cli, "llama", documents)
    assert notice.startswith(
        "2 of 4 requests to summary may be too long for the embedded model, which takes 4096 tokens for "
        "prompt and answer together; the longest, longest.txt, has about 18304 and 400 for its answer; "
    )
    assert notice.endswith("`inputs.split: {tokens: 2900}` cuts documents into parts that fit")


def test_the_way_out_works(cli: Cli, documents: dict[str, list[str]]) -> None:
    assert dry_run(cli, "llama", {**documents, "split": {"tokens": 2900}}) == []


def test_parts_that_are_too_long_are_to_be_shorter(cli: Cli, documents: dict[str, list[str]]) -> None:
    (notice,) = dry_run(cli, "llama", {**documents, "split": {"tokens": 6000}})
    assert notice.endswith("; lower `inputs.split.tokens` to 2900")


def test_rows_cannot_be_split(cli: Cli) -> None:
    (cli.folder / "rows.jsonl").write_text(json.dumps({"id": "a", "text": SENTENCE * 400}) + "\n")
    (notice,) = dry_run(cli, "llama", {"jsonl": "rows.jsonl"})
    assert notice.startswith("1 of 1 requests to summary")
    assert notice.endswith("; shorten the prompts")


def test_other_endpoints_have_limits_that_are_not_known_here(
    cli: Cli, documents: dict[str, list[str]]
) -> None:
    assert dry_run(cli, "extractive", documents) == []
    assert dry_run(cli, None, documents, base_url="http://127.0.0.1:9/v1", provider="openai") == []
