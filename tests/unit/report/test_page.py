"""The page as text: what it holds, and what it cannot hold."""

from __future__ import annotations

import json
import random
import re
import zlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.report.model import Entry, Output, Settings
from batch.report.page import MARK, render
from batch.report.rows import Images, first_words
from tests.support.results_support import failed, hostile_results, hostile_text, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.records import Result

ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "script",
        "noscript",
        "body",
        "header",
        "nav",
        "main",
        "footer",
    ),
    *(
        "section",
        "article",
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "span",
        "small",
        "code",
        "a",
        "div",
        "dl",
        "dt",
        "dd",
    ),
    *("ul", "li", "svg", "rect"),
}
_PACKED = re.compile(r'<script type="text/plain" class="(chunk|block)"[^>]*>([A-Za-z0-9+/=]*)</script>')


def entry(result: Result, **more: Any) -> Entry:
    return Entry(result.id, result.status, result, result.messages, **more)


def page(entries: Iterable[Entry], settings: Settings = Settings(), name: str = "job") -> str:  # noqa: B008
    output = Output(name, f"output/{name}.jsonl", entries)
    return b"".join(render([output], settings, now="2026-11-29T05:10:42Z")).decode()


def packed(text: str) -> dict[str, list[Any]]:
    """The chunks and blocks of a page, unpacked."""
    found: dict[str, list[Any]] = {"chunk": [], "block": []}
    for kind, data in _PACKED.findall(text):
        found[kind].append(json.loads(zlib.decompress(b64decode(data))))
    return found


def tags(text: str) -> list[str]:
    """The elements of a page outside its script and style."""
    without = re.sub(r"<(style|script)([^>]*)>.*?</\1>", r"<\1\2></\1>", text, flags=re.DOTALL)
    return re.findall(r"<[a-zA-Z!/][^>]*>", without)


@settings(max_examples=30)  # each renders a page
@given(st.lists(hostile_results, max_size=3), hostile_text)
def test_no_text_adds_an_element(results: list[Result], name: str) -> None:
    found = re.findall(r"</?([a-zA-Z0-9]+)", " ".join(tags(page(map(entry, results), name=name))))
    assert set(found) <= ELEMENTS


def test_a_page_begins_with_its_mark_and_has_one_script() -> None:
    text = page([entry(succeeded("a"))])
    assert text.startswith(MARK)
    assert text.count("<script>") == 1
    assert "http://" not in re.sub(r"<script>.*", "", text, flags=re.DOTALL)


def test_rows_come_in_order_with_their_numbers() -> None:
    entries = [entry(succeeded("a", "An  answer\nof two lines.")), entry(failed("b")), Entry("c", "pending")]
    chunk, words = packed(page(entries))["chunk"]
    assert chunk["id"] == ["a", "b", "c"]
    assert chunk["status"] == [0, 1, 2]
    assert chunk["prompt_tokens"] == [3, None, None]
    assert words == ["An answer of two lines.", "Internal error", ""]


def test_texts_are_in_blocks() -> None:
    entries = [entry(replace(succeeded("a", "Hello."), messages=[{"role": "user", "content": "Hi!"}]))]
    ((value,),) = packed(page(entries))["block"]
    assert value["text"] == "Hello."
    assert value["messages"] == [{"role": "user", "content": "Hi!"}]
    assert value["rendered"] is False


def test_no_text_leaves_none() -> None:
    secret = "s3cr3t"
    result = replace(
        succeeded("row-1", secret),
        messages=[{"role": "user", "content": secret}],
        metadata={secret: secret},
        parsed={secret: secret},
        reasoning=secret,
        refusal=secret,
        tool_calls=[{"function": {"arguments": secret}}],
        logprobs=[secret],
    )
    text = page([entry(result), entry(failed("row-2", message=secret))], Settings(has_text=False))
    assert secret not in text
    assert secret not in json.dumps(packed(text))
    assert "row-1" in json.dumps(packed(text))
    assert "without the texts" in text


def test_a_small_page_keeps_all_rows_and_the_failures_and_says_so() -> None:
    source = random.Random(7)
    results = [succeeded(f"row {number}", source.randbytes(300).hex()) for number in range(300)]
    results += [failed(f"bad {number}", message="lost") for number in range(5)]
    text = page(map(entry, results), Settings(max_size=60_000))
    found = packed(text)
    assert sum(len(chunk["id"]) for chunk in found["chunk"][::2]) == 305
    kept = [value for block in found["block"] for value in block]
    assert sum("error" in value for value in kept) == 5
    assert 5 < len(kept) < 305
    assert f"the texts of {len(kept)} of 305 rows" in " ".join(text.split())
    assert len("".join(data for _, data in _PACKED.findall(text))) <= 60_000


def test_images_are_kept_up_to_a_budget() -> None:
    small, large = "data:image/png;base64," + "A" * 40, "data:image/png;base64," + "A" * 400
    content = [
        {"type": "image_url", "image_url": {"url": url}} for url in (small, large, "https://x.org/a.png")
    ]
    images = Images(budget=100, largest=200)
    shown = images.message({"role": "user", "content": content})["content"]
    assert shown[0] == content[0]
    assert shown[1] == {"type": "text", "text": "[image: image/png, 300 bytes, too large for this page]"}
    assert shown[2] == content[2]


def test_first_words_are_those_of_what_there_is() -> None:
    calls = replace(succeeded("a", ""), tool_calls=[{"id": "1"}])
    assert first_words(entry(calls)) == '[{"id":"1"}]'
    assert first_words(entry(replace(succeeded("a", ""), refusal="No."))) == "No."
    assert first_words(entry(succeeded("a", "x" * 100)), 64) == "x" * 63 + "…"
    assert first_words(Entry("a", "pending")) == ""
