"""Requests that may be too long for the embedded model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.jobfile.job import DOCUMENTS
from batch.local_model.engine_llama import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.jobfile.job import JobFile
    from batch.records import Request
    from batch.scheduling.token_estimate import Estimate

_SHARE = 0.8
"""Of the tokens that an answer leaves, a part of a document may have this; the rest is for instructions."""


@dataclass(slots=True)
class _Target:
    requests: int = 0
    too_long: int = 0
    most: float = 0.0
    longest: str = ""
    answer: int = 0


class ContextLimit:
    """Counts the requests to embedded models of which prompt and answer exceed the context, by estimate."""

    def __init__(self, job: JobFile) -> None:
        self._job = job
        embedded = [model.id for model in job.models if model.engine not in (None, "extractive")]
        self._targets = {name: _Target() for name in embedded}

    def add(self, request: Request, estimate: Estimate) -> None:
        """Count a request that is to be sent."""
        target = self._targets.get(request.target)
        if target is None:
            return
        target.requests += 1
        answer = estimate.longest or 0
        target.answer = max(target.answer, answer)
        if estimate.prompt + answer <= CONTEXT:
            return
        target.too_long += 1
        if estimate.prompt > target.most:
            target.most, target.longest = estimate.prompt, request.id

    def notices(self) -> Iterator[str]:
        """Yield a sentence for each target that has such requests."""
        for name, target in self._targets.items():
            if target.too_long:
                yield (
                    f"{target.too_long} of {target.requests} requests to {name} may be too long for the "
                    f"embedded model, which takes {CONTEXT} tokens for prompt and answer together; the "
                    f"longest, {target.longest}, has about {target.most:.0f} and {target.answer} for its "
                    f"answer; {self._way_out(target.answer)}"
                )

    def _way_out(self, answer: int) -> str:
        inputs = self._job.inputs
        if inputs is None or inputs.kind != DOCUMENTS:
            return "shorten the prompts"
        tokens = max(100, int((CONTEXT - answer) * _SHARE) // 100 * 100)
        if inputs.split is None:
            return f"`inputs.split: {{tokens: {tokens}}}` cuts documents into parts that fit"
        return f"lower `inputs.split.tokens` to {tokens}"
