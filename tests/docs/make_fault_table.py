"""Writes ``docs/faults.md`` from the rows that the fault matrix is tested with.

Run as ``python -m tests.docs.make_fault_table``. With ``--check`` it writes nothing, and its exit code is
1 where the page is out of date.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.fault_matrix import ROWS
from tests.support.fault_support import FRAMINGS

if TYPE_CHECKING:
    from tests.support.fault_support import Row

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

HEAD = """\
# Faults: what happens when something goes wrong

`tests/integration/test_fault_matrix.py` plays every fault in this table against a real server on
loopback. This page is written from its data by `python -m tests.docs.make_fault_table`. [Error
codes](error_codes.md) explains the codes.

Positions in a reply: 0 connecting · 1 before the status · 2 in the headers · 3 before the first event ·
4 inside an event · 5 between events · 6 inside a UTF-8 sequence · 7 after the finish reason ·
8 after `[DONE]`.

Outcomes: **S** succeeded · **R** retried within the request's budget, then failed with the code · **R×1**
retried once, then failed · **W** waits, and is not charged: it fails only after `max_attempts` rejections
and `timeouts.outage`, with others answered since · **F** failed at once · **H** the endpoint is parked, or
gets fewer connections, and the request waits or stays pending.

In the result line, the code is in `error.code`, and the text that had arrived in `partial_text`. Each case is
played whole, byte by byte and with CRLF line ends, and in both dialects.

| # | fault | at | outcome | played as |
|---|---|---|---|---|
"""


BESIDE_HEAD = """
## Other faults

| # | fault | outcome | tested in |
|---|---|---|---|
"""

BESIDE = [
    (
        "38b",
        "checking an answer takes over 5 s of the processor (or 15 s in all), or over 512 MiB, or fails",
        "**F** `invalid_output`; the others go on",
        "`test_checker.py`, `test_isolation_command.py`",
    ),
    (
        "38c",
        "a result cannot be written as JSON",
        "**F** `unencodable`, without its metadata and messages; the batch is written",
        "`test_isolation.py`",
    ),
    (
        "38d",
        "a provider, a dialect or a decoder raises, or returns no outcome",
        "**R×1** `internal_error`",
        "`test_isolation.py`",
    ),
    (
        "40b",
        "a second SIGINT or SIGTERM while the process is busy in C code",
        "killed within a second (137 to a shell); the same command resumes",
        "`test_isolation_command.py`",
    ),
    (
        "48",
        "SIGHUP, unless it was ignored at start (`nohup`)",
        "as SIGTERM, exit 129; a repeated one counts once",
        "`test_exit_codes.py`, `test_isolation_command.py`",
    ),
    ("49", "the progress report raises", "logged once; the run goes on", "`test_isolation.py`"),
    (
        "50",
        "any other unexpected exception",
        "finished results are written, a summary, the traceback in the log, exit code 70",
        "`test_exit_codes.py`",
    ),
]
"""Faults that no server plays: number, fault, outcome, and the tests that play them."""


BLAME = """
## Whose fault: the request's or the endpoint's

Documents never stop other documents, in this run or the next. A real outage, a revoked key and an empty
account cost a handful of requests. The rules hold for each endpoint; `batch/scheduling/circuit_states.py`
has the table of states, and `tests/unit/scheduling/test_failure_attribution.py` plays them in virtual time.

1. **Suspect failures** are 402, 403, 408, 5xx but 501, and a first byte that does not come in time. The
   endpoint alone is at fault for 401, a refused connection, an unknown host, TLS and 407.
2. **Proof** that the endpoint works is a first delta, or a whole answer, of an attempt that was sent
   after the suspect failure had arrived. An endpoint that has given proof in this run is proven. 400, 422
   and 429 prove nothing.
3. On a **proven endpoint** suspect requests wait, uncharged, and sending continues. Proof charges the
   earlier ones: 402 and 403 fail, the others are retried within their budget. The log names them.
4. **Check.** After 5·k different suspects without proof, or when only suspects are left, sending pauses
   and one *reference request* is sent. k doubles with each check that is answered, up to 128, and is 1
   again after 100 answers. If the only requests left were charged with the same code before, they are
   charged again without a check.
5. The reference request is one of the three smallest that have succeeded in this run, else the smallest
   whose answer an earlier run has left in the output.
6. A check that is answered is proof. One that gets 401, 402 or 403 parks the endpoint (exit code 7). One
   that gets 5xx, a timeout or no connection opens the circuit: the endpoint is probed with a reference
   request, or with another request each time if none is known, with backoff, until `timeouts.outage`
   (exit code 75). In both cases the suspects go back, uncharged.
7. A check that gets 429 is repeated later. After three other failures the endpoint is parked (exit code
   7).
8. A check is an attempt of the run, not of a request: it goes first, counts in every limit and in the
   summary (`checks`), and its answer is discarded.
9. An **unproven endpoint** gets one request at a time: the first that did not fail in an earlier run,
   then the reference, the smallest, and others from all over the job. Two server errors or timeouts open
   the circuit. Five equal rejections (400 or 422 with the same code), or eight requests without proof,
   park the endpoint; a job with fewer fails them one by one. A request that is invalid by itself, such as
   one that is too long, always fails alone. A single request follows the table above.
10. **429 is not charged.** Rejected requests that are due go before new ones, the longest waiting first.
    When no request is answered for `timeouts.outage`, the run stops (exit code 75). A 503 with a
    `Retry-After` counts like a 429, unless it rejects everything: then the circuit is open until that
    time, and one probe follows.
11. If several endpoints serve a model, one other is tried before a suspect fails.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(_line, ROWS)) + _count() + BLAME + _beside()


def _beside() -> str:
    return BESIDE_HEAD + "".join(f"| {' | '.join(row)} |\n" for row in BESIDE)


def _line(row: Row) -> str:
    return f"| {row.number} | {row.fault} | {row.at} | {_outcome(row)} | {_cases(row)} |\n"


def _outcome(row: Row) -> str:
    verdict = f", verdict `{row.verdict}`" if row.verdict not in ("", "complete") else ""
    code = f" `{row.code}`" if row.code else ""
    note = f"; {row.note}" if row.note else ""
    return f"**{row.letter}**{code}{verdict}{note}"


def _cases(row: Row) -> str:
    """The cases by name, each with the number of its positions where there are several."""
    names = Counter(case.name for case in row.cases)
    return " · ".join(f"{name} ({count}×)" if count > 1 else name for name, count in names.items())


def _count() -> str:
    cases = sum(len(row.cases) for row in ROWS)
    return f"\n{cases} cases in {len(FRAMINGS)} framings.\n"


def main() -> int:
    """Write the page, or check it; the exit code is 1 where a check finds it out of date."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
