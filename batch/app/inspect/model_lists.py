"""Ask the servers of a job for their models, to find a wrong address, key or model before a run does.

``validate`` asks servers on this machine, without a key, and others only with ``--online``, with the key that
a run would send. Each server gets one request, and more only if its address seems to lack the version.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from yarl import URL

from batch.app.advice import missing, variables
from batch.app.inspect.endpoint_findings import Answer, Asked, finding
from batch.app.run.endpoints import Address, members
from batch.app.setup import trust
from batch.diagnostics import Place, diagnostic_at
from batch.errors import (
    AttemptError,
    Diagnostic,
    KeyFileError,
    PromptJobsError,
    UntrustedKeyError,
    VariableError,
)
from batch.jobfile.endpoint_checks import LOCAL, base_url_problem
from batch.jobfile.job import Written
from batch.providers.credentials import USER_AGENT
from batch.providers.failure_messages import lacks_version
from batch.providers.timeouts import Timeouts
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile, Model

QUICK = Timeouts(connect=0.5, first_byte=1.0, idle=1.0, total=2.0)
"""For a server on this machine, which answers at once if it runs."""

PATIENT = Timeouts(connect=10.0, first_byte=15.0, idle=15.0, total=30.0)
"""For a server that the user wants to be asked."""


_LLAMA_CPP = "llamacpp"
"""The owner of the models of a llama.cpp server, which answers under any name."""


class _Entry(Struct):
    id: str | None = None
    name: str | None = None
    owned_by: str | None = None


class _List(Struct):
    data: list[_Entry] | None = None
    models: list[_Entry] | None = None


async def ask(jobs: Iterable[JobFile], environment: Environment, *, online: bool) -> list[Diagnostic]:
    """Return what the servers show to be wrong, at the lines of the job files.

    Without ``online``, only servers on this machine are asked, and one that does not answer is no error.
    """
    found: dict[Diagnostic, None] = {}
    async with AsyncExitStack() as stack:
        asking = _Asking(environment, stack, is_online=online)
        for endpoint in chain.from_iterable(map(_endpoints, jobs)):
            found |= dict.fromkeys(await asking.about(endpoint))
    return list(found)


def may_ask(job: JobFile, *, online: bool) -> bool:
    """Return whether a server of the job may be asked, so that others need no HTTP client."""
    return any(_is_askable(endpoint, online=online) for endpoint in _endpoints(job))


def _endpoints(job: JobFile) -> Iterator[Model]:
    return chain.from_iterable(members(model).values() for model in job.models)


def _is_askable(model: Model, *, online: bool) -> bool:
    dialect = dialect_of(model.provider)
    url = model.base_url or dialect.DEFAULT_URL
    if model.endpoint_scope == "worker":  # its servers are on other machines
        return False
    if url is None or url == LOCAL or dialect.MODELS_PATH is None or base_url_problem(url) is not None:
        return False
    return online or ("$" not in url and trust.is_loopback(url))


class _Asking:
    """Asks each server once."""

    def __init__(self, environment: Environment, stack: AsyncExitStack, *, is_online: bool) -> None:
        self._environment = environment
        self._stack = stack
        self._is_online = is_online
        self._answers: dict[tuple[str, str | None, object], Answer] = {}

    async def about(self, model: Model) -> list[Diagnostic]:
        """Return what is wrong with a model on one of its servers."""
        if not _is_askable(model, online=self._is_online):
            return []
        if not self._is_online:
            model = replace(model, api_key_env=None, api_key_file=None, headers={}, proxy=None)
        if any(missing(model, self._environment)):  # reported at its own line
            return []
        try:
            address = Address(model, self._environment)
        except PromptJobsError as error:
            return [_unusable(model, error)] if self._is_online else []
        return finding(await self._asked(model, address), is_online=self._is_online)

    async def _asked(self, model: Model, address: Address) -> Asked:
        usual = dialect_of(model.provider).EMBEDDED_PATH
        answer = await self._answer(address, address.base_url)
        better: tuple[str, Answer] | None = None
        if answer.models is None and answer.status is not None and lacks_version(address.base_url, usual):
            for base_url in _with_version(address.base_url, usual or ""):
                other = await self._answer(address, base_url)
                if other.is_api:
                    better = base_url, other
                    break
        return Asked(model, address.shown_url, answer, better, has_key=bool(address.credentials.api_key))

    async def _answer(self, address: Address, base_url: str) -> Answer:
        key = (base_url, address.proxy, address.credentials.api_key)
        if key not in self._answers:
            self._answers[key] = await self._get(address, base_url)
        return self._answers[key]

    async def _get(self, address: Address, base_url: str) -> Answer:
        dialect = dialect_of(address.model.provider)
        timeouts = PATIENT if self._is_online else QUICK
        from batch.providers.client import HttpClient  # noqa: PLC0415 - aiohttp is slow to load

        client = await self._stack.enter_async_context(HttpClient(timeouts, proxy=address.proxy))
        api_key = address.credentials.api_key
        key = dialect.key_headers(api_key) if api_key else {}
        headers = address.credentials.on(dialect.headers(USER_AGENT, stream=False), key)
        start, mark, query = base_url.partition("?")
        url = URL(f"{start.rstrip('/')}{dialect.MODELS_PATH}{mark}{query}")
        try:
            fetched = await client.get(url, headers)
        except AttemptError as error:
            return Answer(None, None, address.credentials.clean(error.failure.message))
        entries = _entries(fetched.body) if fetched.status == 200 else None
        if entries is None:
            return Answer(fetched.status, None)
        names = (name for entry in entries if (name := entry.id or entry.name))
        serves_any_name = any(entry.owned_by == _LLAMA_CPP for entry in entries)
        models = tuple(map(address.credentials.clean, names))
        return Answer(fetched.status, models, serves_any_name=serves_any_name)


def _with_version(base_url: str, path: str) -> list[str]:
    """Return the address with the version at its end, and that of the server with it."""
    start, mark, query = base_url.partition("?")
    origin = str(URL(start).origin())
    return list(dict.fromkeys(f"{each.rstrip('/')}{path}{mark}{query}" for each in (start, origin)))


def _entries(body: bytes) -> list[_Entry] | None:
    """Return a list of models (of OpenAI, Ollama or Together); ``None`` for another body."""
    try:
        read = msgspec.json.decode(body, type=_List | list[_Entry])
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, list) else read.data if read.data is not None else read.models


def _unusable(model: Model, error: PromptJobsError) -> Diagnostic:
    """Return the error of an address or a key that a run could not use either, at the key's line."""
    keys = [key for key in (*_keys_of(error, model), "base_url") if key in model.written]
    at = model.written[keys[0]] if keys else Written("base_url", Place("job"))
    return diagnostic_at(at.place, at.where, str(error))


def _keys_of(error: PromptJobsError, model: Model) -> Sequence[str]:
    """Return the keys of ``Model.written`` that may have caused the error."""
    if isinstance(error, VariableError):
        return [key for key, name in variables(model) if name == error.name]
    if isinstance(error, KeyFileError | UntrustedKeyError):
        return ("api_key_env", "api_key_file")
    return ()
