"""Writes the page: one HTML file without any address, whose policy allows its own script and style alone."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from batch._version import __version__
from batch.codec import encode_json, well_formed
from batch.report.collect import Collector
from batch.report.model import PageView
from batch.report.numbers import count, moment
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.report.model import ComparisonView, Output, Settings

MARK = "<!doctype html>\n<!-- promptjobs report -->\n"
"""The beginning of each page, by which a later report may replace it."""

SCRIPT = ("state", "elements", "data", "search", "table", "words", "row", "timeline", "start")
"""The parts of the page's one script, in order."""

_LONGEST = 4000
"""Characters of a text outside the table."""


def render(
    outputs: Iterable[Output], settings: Settings, *, now: str, comparison: ComparisonView | None = None
) -> Iterator[bytes]:
    """Yield the page of these outputs, or with ``comparison`` the page that compares two.

    ``now`` is UTC, ISO 8601. Raises what reading their entries raises.
    """
    collector = Collector(settings, comparison)
    for output in outputs:
        collector.add(output)
    collector.finish()
    script, style = "".join(_part(f"script/{name}.js") for name in SCRIPT), _part("page.css")
    pieces = _template().generate(
        mark=_trusted(MARK),
        page=_view(collector, now),
        script=_trusted(script),
        style=_trusted(style),
        policy=_policy(script, style),
        head=_json(collector.head()),
        chunks=(_trusted(chunk.decode()) for chunk in collector.index.chunks),
        blocks=((number, _trusted(block.decode())) for number, block in collector.texts.blocks()),
        json=_json,
        quoted=_quoted,
    )
    for piece in pieces:
        yield piece.encode("utf-8", "replace")


def _view(collector: Collector, now: str) -> PageView:
    groups, comparison = collector.failures.groups(), collector.comparison
    title = ", ".join(view.name for view in collector.views) if comparison is None else comparison.title
    return PageView(
        title=title,
        generated=moment(now),
        outputs=collector.views,
        failures=groups[:_SHOWN_GROUPS],
        failures_left_out=sum(group.count for group in groups[_SHOWN_GROUPS:]),
        fields=collector.fields.views(),
        notes=[*_notes(collector)],
        total=collector.total,
        footer=f"promptjobs {__version__}",
        comparison=comparison,
    )


_SHOWN_GROUPS = 50


def _notes(collector: Collector) -> Iterator[str]:
    if not collector.settings.has_text:
        yield "This report was made without the texts of prompts and answers."
    kept, all_of_them = collector.texts.kept, collector.with_texts
    if kept < all_of_them:
        size = collector.settings.max_size / 1e6
        first = "failed requests" if collector.comparison is None else "failed and changed requests"
        yield (
            f"The page holds the texts of {count(kept)} of {count(all_of_them)} rows, to stay below "
            f"{size:g} MB: those of {first} first, and a sample of the others. Every row is in the "
            "table. --max-size allows a larger page."
        )


def _policy(script: str, style: str) -> str:
    """Return the content security policy: no address may be loaded, images only from the page itself."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _json(value: Any) -> Markup:
    """Return JSON that is inert inside a script element: it holds no ``<``."""
    return _trusted(encode_json(value).decode().replace("<", "\\u003c"))


def _quoted(text: str) -> str:
    """Return an id as the address of its row has it."""
    return quote(well_formed(text), safe="")


def _trusted(text: str) -> Markup:
    """Return a text that is not escaped: a part of this package, base64, or JSON without ``<``."""
    return Markup(text)  # noqa: S704 - see above


def _visible(value: Any) -> Any:
    """Return a text with its invisible characters escaped; the template escapes its markup after that."""
    return escape(value, _LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(_part("page.html.j2"))


@cache
def _part(name: str) -> str:
    return files("batch.report").joinpath(name).read_text("utf-8")
