"""The job file's schema as JSON Schema, draft 7, for completion and checks in editors.

It is generated from the models in ``schema``. Combinations of values (``model`` with ``models``, an unknown
model name) are not part of it: ``validate`` checks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.jobfile.schema.job_spec import JobSpec

if TYPE_CHECKING:
    from batch.records import JSONObject

DRAFT = "http://json-schema.org/draft-07/schema#"


def json_schema() -> JSONObject:
    """Return the schema of a YAML job file; it also fits the settings of a JSONL one."""
    generated = JobSpec.model_json_schema(ref_template="#/definitions/{model}")
    definitions = generated.pop("$defs")
    schema: JSONObject = _as_draft_7({**generated, "definitions": definitions})
    schema["patternProperties"] = {"^x-": {"description": "Ignored; a place for YAML anchors."}}
    return {"$schema": DRAFT, **schema, "title": "promptjobs job file"}


def _as_draft_7(value: Any) -> Any:
    """Return a copy without titles, and with every ``$ref`` alone: draft 7 ignores its siblings."""
    if isinstance(value, list):
        return [_as_draft_7(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _as_draft_7(part) for key, part in value.items() if not _is_title(key, part)}
    if "$ref" in plain and len(plain) > 1:
        return {"allOf": [{"$ref": plain.pop("$ref")}], **plain}
    return plain


def _is_title(key: str, value: Any) -> bool:
    """Return whether this is pydantic's title of a model or a field, which only repeats its name."""
    return key == "title" and isinstance(value, str)
