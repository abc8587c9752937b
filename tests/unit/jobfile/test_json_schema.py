"""The JSON Schema that editors use says what the models say, and says it in words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from batch.errors import JobFileError
from batch.jobfile.init_template import SCHEMA_FILE, SERVERS, job_template
from batch.jobfile.schema.job_spec import PARTS, JobSpec
from batch.jobfile.schema.json_schema import json_schema
from batch.jobfile.syntax.tree import from_yaml
from tests.support.cli_support import Cli
from tests.unit.jobfile.test_job_file_errors import ONE_ERROR, SIX

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SCHEMA = json_schema()
VALIDATOR = Draft7Validator(SCHEMA)
EXAMPLES = sorted((ROOT / "jobs").glob("*.yaml"))
IN_DOCS = [
    text
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for text in re.findall(
        r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
]


def fits_models(value: Any) -> bool:
    """Whether the models take a plain value, as the loader hands it to them."""
    if not isinstance(value, dict):
        return False
    try:
        JobSpec.model_validate({key: part for key, part in value.items() if not key.startswith("x-")})
    except ValidationError:
        return False
    return True


def parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every field of every part, by name."""
    for part in [schema, *schema["definitions"].values()]:
        yield from part["properties"].items()


def test_it_is_a_schema_of_draft_7() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in json.dumps(SCHEMA)


def test_every_field_has_a_description() -> None:
    found = dict(parts(SCHEMA))
    assert set(found) == {name for part in PARTS.values() for name in part.model_fields}
    assert [name for name, field in parts(SCHEMA) if not field.get("description", "").strip()] == []


def test_nothing_stands_beside_a_reference() -> None:
    """Draft 7 ignores it, and an editor would not show the description."""

    def objects(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield value
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from objects(part)

    references = [part for part in objects(SCHEMA) if "$ref" in part]
    assert references
    assert all(len(part) == 1 for part in references)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_validate(path: Path) -> None:
    VALIDATOR.validate(from_yaml(path.read_text(encoding="utf-8"), path.name).value)


@pytest.mark.parametrize("text", IN_DOCS)
def test_the_documents_examples_validate(text: str) -> None:
    VALIDATOR.validate(from_yaml(text, "docs").value)


def sound_yaml(text: str) -> bool:
    try:
        from_yaml(text, "f")
    except JobFileError:
        return False
    return True


BROKEN = [case[0] for case in ONE_ERROR if sound_yaml(case[0])] + [SIX]


def test_most_broken_files_are_yaml_at_least_and_many_are_a_matter_of_the_schema() -> None:
    values = [from_yaml(text, "f").value for text in BROKEN]
    assert len(values) > 40
    assert sum(not fits_models(value) for value in values) > 15


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_fails_where_the_models_refuse_it(text: str) -> None:
    value = from_yaml(text, "f").value
    assert VALIDATOR.is_valid(value) == fits_models(value)


SHORT = [
    ("model: m\n", True),
    ("model: {model: m, concurrency: 2}\n", True),
    ("model: 7\n", False),
    ("model: ''\n", False),
    ("models: [m, {model: n, id: second}]\n", True),
    ("models: []\n", False),
    ("inputs: {files: '*.txt'}\n", True),
    ("inputs: {files: ['*.txt', '*.md']}\n", True),
    ("inputs: {files: []}\n", False),
    ("timeouts: {idle: 90s, total: null, outage: 1.5h, grace: 0}\n", True),
    ("timeouts: {idle: 90}\n", True),
    ("timeouts: {idle: 0}\n", False),
    ("timeouts: {idle: 0.0s}\n", False),
    ("timeouts: {grace: 0s}\n", True),
    ("timeouts: {idle: soon}\n", False),
    ("timeouts: {idle: -1}\n", False),
    ("retries: {base: 0}\n", True),
    ("retries: {base: null}\n", False),
    ("x-note: [anything, {at: all}]\n", True),
    ("y-note: 1\n", False),
    ('name: "two\\nlines"\n', False),
]


@pytest.mark.parametrize(("text", "fits"), SHORT)
def test_short_ways_of_writing_are_known_to_both(text: str, fits: bool) -> None:
    value = from_yaml(text, "f").value
    assert (fits_models(value), VALIDATOR.is_valid(value)) == (fits, fits)


_KEYS = st.sampled_from(sorted({name for part in PARTS.values() for name in part.model_fields} | {"bogus"}))
_SCALARS = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        8,
        0.5,
        1e9,
        "",
        "a",
        "90s",
        "0s",
        "user",
        "openai",
        "keep",
        "local",
        "a\nb",
    ]
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=1500, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=3))
def test_the_schema_and_the_models_agree_on_any_mapping(value: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(value) == fits_models(value)


def test_the_command_prints_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    ended = Cli(tmp_path, monkeypatch, capsys)("schema")
    assert (ended.code, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == SCHEMA


def test_init_writes_it_beside_the_job_file_which_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert Cli(tmp_path, monkeypatch, capsys)("init").code == 0
    first = (tmp_path / "job.yaml").read_text(encoding="utf-8").splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / name).read_text(encoding="utf-8")) == SCHEMA
    assert name == SCHEMA_FILE
    for server in SERVERS:
        VALIDATOR.validate(yaml.safe_load(job_template(server)))
