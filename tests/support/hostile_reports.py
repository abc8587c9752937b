"""An output with hostile text in every place that takes text, and the history of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.codec import encode_line, encode_result
from batch.records import Mishap, ResultError
from batch.results.run_history import history_path
from batch.results.run_record import ParkedInterval, Quantiles, RunRecord, Timeline
from batch.run_summary import Percentiles, Summary
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Result

CANARY = "window.canary = 1"
HOSTILE = (
    f"<script>{CANARY}</script>",
    f"</script><script>{CANARY}</script>",
    f"</style><script>{CANARY}</script>",
    f"</title></textarea></noscript><script>{CANARY}</script>",
    f"<!-- <script> --><script>{CANARY}</script>",
    f"]]><img src=x onerror='{CANARY}'>",
    f'" autofocus onfocus="{CANARY}" x="',
    f"'><svg/onload={CANARY}>",
    f"javascript:{CANARY}",
    f"<a href='javascript:{CANARY}'>a link</a>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<iframe src=http://127.0.0.1:9/></iframe><link rel=stylesheet href=http://127.0.0.1:9/>",
    "{{ 7 * 7 }}{% raw %}${7 * 7}",
    "right to left: \u202eevil\u202c \u2066isolated\u2069",
    "control: \x00\x07\x1b[31m\x7f\x85\ufeff",
    "__proto__",
    "%00%ff%",
    "&lt;b&gt;&amp;",
)
"""What a page must show as text."""

LINE = "a" * 5_000_000


def _summary(output: Path, text: str) -> Summary:
    return Summary(
        1, text, str(output), 1, 3, 2, 1, 0, 3, 3, 30, 300, 0.25, 0, 4.0, [text], 0, 0, {text: 1},
        Percentiles(0.8, 1.1, 1.2), None, text, text, None, {text: text}, held_back=text, currency=text,
    )  # fmt: skip


def record(output: Path, text: str) -> RunRecord:
    """A run whose words are all this text."""
    empty: list[float | None] = [None, None, None, None]
    timeline = Timeline(
        width=1.0,
        bins=4,
        succeeded=[0, 1, 1, 0],
        failed={text: [0, 0, 1, 0]},
        attempts=[1, 1, 1, 0],
        failed_attempts={text: [0, 0, 1, 0]},
        latency=Quantiles(empty, empty, empty),
        in_flight=[1.0, 2.0, 1.0, None],
        limit=[4.0, 4.0, 4.0, None],
        parked=[ParkedInterval(text, text, is_open=True, start=1.0, end=2.0)],
    )
    return RunRecord(1, _summary(output, text), timeline=timeline)


def results() -> list[Result]:
    """A success and a failure for each text, which is in all their fields, and an answer of 5 MB."""
    found = []
    for number, text in enumerate(HOSTILE):
        messages = [{"role": text, "content": text}, {"role": "user", "content": [{"type": text, "x": text}]}]
        fine = replace(
            succeeded(f"{number} {text}", text),
            model=text,
            served_by=text,
            finish_reason=text,
            reasoning=text,
            refusal=text,
            tool_calls=[{"id": text, "function": {"name": text, "arguments": text}}],
            parsed={text: text},
            metadata={text: text},
            messages=messages,
        )
        error = ResultError(text, text, None, retryable=True, runs=1, history=[Mishap(text, text, text)])
        found += [fine, replace(failed(f"{number} failed {text}"), error=error, metadata={text: text})]
    image = {"type": "image_url", "image_url": {"url": f"javascript:{CANARY}"}}
    remote = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}}
    found.append(replace(succeeded("long", LINE), messages=[{"role": "user", "content": [image, remote]}]))
    return found


def write(output: Path) -> None:
    """Write the output and its history."""
    lone = encode_result(succeeded("lone surrogate", "before \ud800 after"))
    output.write_bytes(b"".join([*map(encode_result, results()), lone]))
    lines = b"".join(encode_line(record(output, text)) for text in HOSTILE)
    history_path(output).write_bytes(lines)
