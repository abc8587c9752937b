"""The schema of `inputs` and `matrix`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from batch.jobfile.schema.types import Name, Spec, Text, Texts
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


class SplitSpec(Spec):
    """How to split a long text, at the ends of paragraphs and sentences."""

    tokens: Annotated[int, Field(ge=10)] = Field(
        description="Maximum length of a chunk, in estimated tokens.", examples=[2000]
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Number of tokens that each chunk repeats from the one before.", examples=[100]
    )


class _OfRows:
    """Marks a key that names files of rows: it is the name of a reader (``inputs.readers.registry``)."""


class InputsSpec(Spec):
    """Documents or tables whose values fill the prompts."""

    files: Texts | None = Field(
        default=None,
        description="Glob patterns of documents; a pattern with `!` excludes. The variables are `text`, "
        "`path`, `name` and `stem`.",
        examples=[["documents/**/*.txt", "!documents/drafts/**"]],
    )
    csv: Annotated[Texts | None, _OfRows] = Field(
        default=None,
        description="A CSV file with a header, or patterns. Each column becomes a variable; all values are "
        "text.",
        examples=["rows.csv"],
    )
    jsonl: Annotated[Texts | None, _OfRows] = Field(
        default=None,
        description="A JSON Lines file, or patterns. Each key becomes a variable.",
        examples=[["a.jsonl", "b/*.jsonl"]],
    )
    parquet: Annotated[Texts | None, _OfRows] = Field(
        default=None,
        description="A Parquet file, or patterns (extra `parquet`). Each column becomes a variable.",
        examples=["rows.parquet"],
    )
    results: Annotated[Text | None, _OfRows] = Field(
        default=None,
        description="The output file of another job. The variables are `text`, `id`, `metadata` and the "
        "fields of `metadata`.",
        examples=["../output/map.jsonl"],
    )
    group_by: Texts | None = Field(
        default=None,
        description="With `results`: fields of their metadata to group by. Each complete group becomes one "
        "request, with the variable `items`.",
        examples=[["name"]],
    )
    id_field: Name | None = Field(
        default=None,
        description="The column that holds the id of a row. The default is `id`.",
        examples=["sku"],
    )
    keep: Texts | None = Field(
        default=None,
        description="Columns to copy to the `metadata` of each result.",
        examples=[["title", "url"]],
    )
    on_empty: Literal["error", "skip", "send"] = Field(
        default="error",
        description="What to do with a blank document, a blank prompt, or a null or NaN in a prompt: report "
        "an error, skip the row, or send empty text.",
        examples=["skip"],
    )
    follow_symlinks: bool = Field(
        default=True, description="Whether patterns follow symbolic links.", examples=[False]
    )
    on_bad_row: Literal["stop", "skip"] = Field(
        default="stop",
        description="What to do with an invalid row or document: stop before anything is sent, or record it "
        "as failed and send the others.",
        examples=["skip"],
    )
    split: SplitSpec | None = Field(
        default=None,
        description="Split the variable `text` into chunks, one request each. The variables `chunk` and "
        "`chunks` number and count them.",
        examples=[{"tokens": 2000, "overlap": 100}],
    )


ROW_KEYS = tuple(name for name, field in InputsSpec.model_fields.items() if _OfRows in field.metadata)
"""The keys that name files of rows, in their order."""


class MatrixSpec(Spec):
    """Every combination of the values of some variables. Each other key is a variable with its values."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Annotated[list[Any], Field(min_length=1)]]

    include: list[JSONObject] = Field(
        default=[],
        description="Variables to add to matching combinations, or additional combinations.",
        examples=[[{"mood": "polite", "tone": "formal"}]],
    )
    exclude: list[JSONObject] = Field(
        default=[], description="Combinations to leave out.", examples=[[{"mood": "angry"}]]
    )
