"""Compare the decoder of answers with a slow reference, on damaged streams:

    PROMPTJOBS_FUZZ=1000000 python -m tests.system.fuzz_streams --seed 1 --processes 2

Each case is a short answer of some server with up to three changes to its events and some to its bytes. A
finding is printed with its seed and with the smallest body that still shows it. The exit code is 1 if there
are any findings.

What counts as a finding: an answer that the reference does not give, an outcome that depends on how the bytes
are split, or an exception. An answer that only the reference gives is counted as ``strict``: the request is
sent again, so that it costs money but no truth.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import get_context
from random import Random
from typing import NamedTuple, TypeAlias

from batch.errors import AttemptError
from batch.records import Failure, Outcome, Reply
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.reference_calls import Call, canonical
from tests.support.reference_stream import expected
from tests.support.stream_mutations import Case, End, damaged
from tests.system.fuzz_minimise import smallest

COUNT = int(os.environ.get("PROMPTJOBS_FUZZ", "3000"))
"""Cases to try."""

BLOCK = 2000
"""Cases that a process takes at once."""

EVERY_SPLIT = 1000
"""Of so many cases, one is fed at every split in two, and byte by byte."""

Decide: TypeAlias = Callable[[Iterable[bytes], End], Outcome]


class Finding(NamedTuple):
    """An error of the decoder: ``kind`` and ``why`` name its class."""

    kind: str
    why: str
    got: str
    wanted: str
    seed: int = -1
    body: bytes = b""
    end: End = "marked"

    @property
    def sort(self) -> tuple[str, str]:
        """Findings of one sort most likely have one cause."""
        return self.kind, self.why

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.kind} ({self.why})\n  body     {self.body!r}\n  end      {self.end}\n"
            f"  expected {self.wanted}\n  got      {self.got}"
        )


def decide(parts: Iterable[bytes], end: End) -> Outcome:
    """Return the decoder's outcome for a body in these parts."""
    decoder = ReplyDecoder("text/event-stream")
    decoder.framed = end == "marked"
    try:
        for part in parts:
            decoder.feed(part)
    except AttemptError as error:
        return error.failure
    return decoder.cut("truncated", "broken") if end == "broken" else decoder.close()


def judge(case: Case, decide: Decide = decide) -> Finding | str:
    """Return the finding of a case, or the word under which it is counted."""
    try:
        outcome = decide([case.body], case.end)
    except Exception as error:  # noqa: BLE001
        return Finding("an exception", type(error).__name__, repr(error), "an outcome")
    right = expected(case.body, confirmed=case.end == "marked")
    if isinstance(outcome, Failure):
        return f"strict: {outcome.code}" if right.verdicts else "failed by both"
    got, wanted = repr(outcome), repr(right)
    verdict = outcome.verdict.value
    if not right.verdicts:
        return Finding(f"{verdict}, which is no answer", right.why, got, wanted)
    if verdict not in right.verdicts:
        return Finding(f"{verdict}, which is {' or '.join(sorted(right.verdicts))}", "", got, wanted)
    for what, mine, theirs in (
        ("text", right.text, outcome.text),
        ("refusal", right.refusal, outcome.refusal or ""),
        ("tool calls", canonical(right.calls), canonical(_calls(outcome))),
    ):
        if mine != theirs:
            return Finding(f"{verdict}, with other {what}", "", got, wanted)
    return f"{verdict} by both"


def _calls(reply: Reply) -> tuple[Call, ...]:
    calls = []
    for call in reply.tool_calls or ():
        function = call.get("function") or {}
        calls.append(
            Call(str(call.get("id") or ""), function.get("name") or "", function.get("arguments") or "")
        )
    return tuple(sorted(call for call in calls if any(call)))


def split_finding(case: Case, seed: int, decide: Decide = decide) -> Finding | None:
    """Whether the outcome depends on how the bytes come."""
    whole = repr(decide([case.body], case.end))
    for parts in _feedings(case.body, seed):
        outcome = repr(decide(parts, case.end))
        if outcome != whole:
            return Finding(
                "an outcome that depends on the split", str([len(part) for part in parts]), outcome, whole
            )
    return None


def _feedings(body: bytes, seed: int) -> Iterable[list[bytes]]:
    chance = Random(seed)
    cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(1, 5)))
    yield [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    if seed % EVERY_SPLIT == 0:
        yield [body[at : at + 1] for at in range(len(body))]
        yield from ([body[:at], body[at:]] for at in range(len(body) + 1))


def examine(seeds: range, decide: Decide = decide) -> tuple[Counter[str], list[Finding]]:
    """Run the cases of these seeds; return the counts, and the first finding of each class."""
    counts: Counter[str] = Counter()
    found: dict[tuple[str, str], Finding] = {}
    for seed in seeds:
        case = damaged(seed)
        finding = judge(case, decide)
        if not isinstance(finding, Finding):
            counts[finding] += 1
            finding = split_finding(case, seed, decide) or finding
        if isinstance(finding, Finding):
            counts[f"FOUND {finding.kind} ({finding.why if 'split' not in finding.kind else '…'})"] += 1
            sort = ("split", "") if "split" in finding.kind else finding.sort
            if sort not in found:
                found[sort] = finding._replace(seed=seed, body=case.body, end=case.end)
    return counts, list(found.values())


def minimised(finding: Finding, decide: Decide = decide) -> Finding:
    """Return the finding of the same class with the smallest body."""
    if "split" in finding.kind:
        return finding

    def is_one(body: bytes) -> bool:
        again = judge(Case(body, finding.end), decide)
        return isinstance(again, Finding) and again.sort == finding.sort

    body = smallest(finding.body, is_one)
    again = judge(Case(body, finding.end), decide)
    assert isinstance(again, Finding)
    return again._replace(seed=finding.seed, body=body, end=finding.end)


def campaign(count: int, seed: int, processes: int) -> tuple[Counter[str], list[Finding]]:
    """Run cases in several processes. The seeds of the cases begin at ``seed`` times 10⁹."""
    first = seed * 10**9
    blocks = [range(start, min(start + BLOCK, first + count)) for start in range(first, first + count, BLOCK)]
    counts: Counter[str] = Counter()
    found: dict[tuple[str, str], Finding] = {}
    with get_context("forkserver").Pool(processes) as pool:
        for more, findings in pool.imap_unordered(partial(examine), blocks):
            counts += more
            for finding in findings:
                found.setdefault(finding.sort, finding)
    return counts, sorted(found.values())


def main() -> int:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=COUNT, help="cases; else PROMPTJOBS_FUZZ")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    start = time.monotonic()
    counts, findings = campaign(options.count, options.seed, options.processes)
    for finding in findings:
        print(minimised(finding), end="\n\n")
    for what, number in counts.most_common():
        print(f"{number:>9}  {what}")
    seconds = time.monotonic() - start
    sorts = f"{len(findings)} sorts of findings"
    print(f"{options.count} cases from seed {options.seed} in {seconds:.0f} s: {sorts}")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
