"""What prompts are filled with, as it is written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from batch.jobfile.schema_types import Name, Spec, Text, Texts
from batch.records import JSONObject  # noqa: TC001 - pydantic reads it


class SplitSpec(Spec):
    """How a long text is cut, at the ends of paragraphs and sentences."""

    tokens: Annotated[int, Field(ge=10)] = Field(description="The longest chunk, in tokens (estimated).")
    overlap: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How many tokens of the chunk before each repeats."
    )


class InputsSpec(Spec):
    """What the prompts are filled with."""

    files: Texts | None = Field(
        default=None,
        description="Glob patterns of documents, `!` excludes; "
        "`text`, `path`, `name`, `stem` become variables.",
    )
    csv: Texts | None = Field(
        default=None,
        description="A CSV file with a header, or patterns of several; "
        "the columns become variables, all of them text.",
    )
    jsonl: Texts | None = Field(
        default=None, description="A JSON Lines file, or patterns of several; the columns become variables."
    )
    parquet: Texts | None = Field(
        default=None,
        description="A Parquet file, or patterns of several (extra `parquet`); the columns become variables.",
    )
    results: Text | None = Field(
        default=None,
        description="The results of another job; `text`, `id`, `metadata` and its fields become variables.",
    )
    group_by: Texts | None = Field(
        default=None,
        description="For `results`: the fields of their metadata that make a group; "
        "one request per group, with the variable `items`.",
    )
    id_field: Name | None = Field(
        default=None, description="The column that holds a row's id; by default `id`."
    )
    keep: Texts | None = Field(
        default=None, description="Columns that are copied to each result's `metadata`."
    )
    on_empty: Literal["error", "skip", "send"] = Field(
        default="error",
        description="Whether a blank document or prompt, or a null or NaN that a prompt prints, is an error, "
        "skips the row, or is sent as empty text.",
    )
    follow_symlinks: bool = Field(
        default=True, description="Whether patterns match symbolic links and what is behind them."
    )
    on_bad_row: Literal["stop", "skip"] = Field(
        default="stop",
        description="Whether a bad row or document stops the job before anything is sent, "
        "or is recorded as failed.",
    )
    split: SplitSpec | None = Field(
        default=None,
        description="Cut the variable `text` into chunks, a request each; `chunk` and `chunks` count them.",
    )


class MatrixSpec(Spec):
    """Every combination of some variables' values; each further key is a variable with its list of values."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Annotated[list[Any], Field(min_length=1)]]

    include: list[JSONObject] = Field(
        default=[], description="Variables added to the combinations they fit, or combinations of their own."
    )
    exclude: list[JSONObject] = Field(default=[], description="Combinations that are left out.")
