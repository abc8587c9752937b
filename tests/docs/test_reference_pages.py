"""The generated reference pages are current, complete, and true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft7Validator

from batch.jobfile.schema.json_schema import json_schema
from batch.records import Result
from batch.run_summary import Summary
from tests.docs import make_extras, make_job_keys, make_result_pages
from tests.docs.make_job_keys import GROUPS, keys, kind, top_level
from tests.docs.make_result_pages import field_paths, precedence
from tests.support.reference_codes import CODES
from tests.support.reference_fields import FIELDS, SUMMARY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
KEYS = keys()
BY_NAME = {code.name: code for group in CODES.values() for code in group}
PAGES: list[tuple[str, str, Callable[[], str]]] = [
    ("job_keys.md", "make_job_keys", make_job_keys.page),
    ("result_fields.md", "make_result_pages", make_result_pages.fields_page),
    ("error_codes.md", "make_result_pages", make_result_pages.codes_page),
    ("extras.md", "make_extras", make_extras.page),
]


@pytest.mark.parametrize(("name", "generator", "page"), PAGES, ids=[name for name, _, _ in PAGES])
def test_the_page_is_current(name: str, generator: str, page: Callable[[], str]) -> None:
    text = page()
    assert (DOCS / name).read_text(encoding="utf-8") == text, f"run python -m tests.docs.{generator}"
    assert f"python -m tests.docs.{generator}" in text


def test_every_key_of_a_job_file_is_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(top_level())


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_key_has_a_type_a_meaning_and_an_example(key: make_job_keys.Key) -> None:
    assert kind(key.field)
    assert key.field["description"].endswith(".")
    assert len(key.field["examples"]) == 1


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_example_is_valid(key: make_job_keys.Key) -> None:
    schema = json_schema()
    validator = Draft7Validator({**key.field, "definitions": schema["definitions"]})
    assert list(validator.iter_errors(key.field["examples"][0])) == []


def test_keys_of_every_depth_are_there() -> None:
    paths = {key.path for key in KEYS}
    assert {"prompt", "inputs.split.tokens", "prompts[].messages[].role", "price.input"} <= paths
    assert "model.base_url" not in paths
    assert len(paths) == len(KEYS)


KINDS: list[tuple[dict[str, Any], str]] = [
    ({"type": "integer", "minimum": 1, "maximum": 9}, "integer ≥ 1, ≤ 9"),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string"),
    ({"enum": ["a", "b"]}, "`a` or `b`"),
    ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}, "list of strings"),
    ({"allOf": [{"$ref": "#/definitions/X"}]}, "mapping"),
    ({"type": "boolean"}, "true or false"),
]


@pytest.mark.parametrize(("field", "words"), KINDS)
def test_types_are_put_into_words(field: dict[str, Any], words: str) -> None:
    assert kind(field) == words


def test_durations_are_written_with_their_unit() -> None:
    text = make_job_keys.page()
    assert "| `timeouts.idle` | duration | `120s` |" in text
    assert "| `retries.base` | duration | `0.5s` |" in text


@pytest.mark.parametrize(("struct", "meanings"), [(Result, FIELDS), (Summary, SUMMARY_FIELDS)])
def test_every_field_is_described_in_its_order(struct: type, meanings: dict[str, str]) -> None:
    assert list(meanings) == list(field_paths(struct))


RETRIED = [
    ("connect", "yes", "no"),
    ("auth", "endpoint parked", "no"),
    ("protocol", "once", "yes"),
    ("bad_request", "no", "no"),
    ("truncated", "yes", "yes"),
    ("filtered", "no", "yes"),
    ("http_<status>", "yes", "no"),
    ("http_429", "yes, not counted", "no"),
]


@pytest.mark.parametrize(("code", "retried", "billed"), RETRIED)
def test_whether_a_code_is_retried_and_billed(code: str, retried: str, billed: str) -> None:
    assert (BY_NAME[code].when_retried(), BY_NAME[code].when_billed()) == (retried, billed)


def test_the_precedence_of_exit_codes() -> None:
    assert precedence() == [74, 70, 130, 75, 7, 8, 1]


def test_every_extra_is_described_and_bounded_for_the_site() -> None:
    extras = make_extras.extras()
    assert set(extras) == set(make_extras.BRINGS) == set(make_extras.WHEN)
    assert all(">=" in each and ",<" in each for each in extras["docs"])


class _Loader(yaml.SafeLoader):
    """Reads the configuration as far as YAML itself goes: names of Python objects stay text."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/name:", lambda loader, name, node: name)


def _pages(nav: Any) -> Iterator[str]:
    for entry in nav:
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(target, str):
                yield target
            else:
                yield from _pages(target)


def test_every_page_is_in_the_navigation_once_and_nothing_is_fetched() -> None:
    text = (DOCS / "site" / "mkdocs.yml").read_text(encoding="utf-8")
    config = yaml.load(text, _Loader)
    assert sorted(_pages(config["nav"])) == sorted(path.name for path in DOCS.glob("*.md"))
    assert config["theme"]["font"] is False
    assert config["strict"] is True
    assert "http" not in text
