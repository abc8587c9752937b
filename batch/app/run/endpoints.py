"""Open the endpoints of a job: one provider for each, one connection pool per proxy.

The embedded endpoint is a provider that checks whether its process is still running.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from batch.app.setup import trust
from batch.errors import UsageError
from batch.jobfile.endpoint_checks import ENGINES, LOCAL, REFERENCE, looks_random
from batch.providers.credentials import Credentials
from batch.providers.endpoint_spec import ClientSpec, EndpointSpec, open_endpoints
from batch.providers.failure_messages import url_for_display
from batch.providers.timeouts import Timeouts
from batch.providers.url_secrets import secrets_in_url
from batch.records import Failure
from batch.wire.dialects.registry import dialect_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AsyncExitStack

    from anyio.abc import Process

    from batch.app.setup.environment import Environment
    from batch.executors.local_workers import Workers
    from batch.executors.ray_workers import RayWorkers
    from batch.jobfile.job import JobFile, Model
    from batch.local_model.endpoint import Endpoint
    from batch.protocols import Provider
    from batch.records import Outcome, Request


class EmbeddedEndpoint:
    """Passes attempts on. If the child process has ended, a failure says so and parks the endpoint."""

    def __init__(self, provider: Provider, child: Process) -> None:
        self._provider = provider
        self._child = child

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt."""
        outcome = await self._provider.complete(request)
        code = self._child.returncode
        if code is None or not isinstance(outcome, Failure):
            return outcome
        explanation = (
            f"the embedded endpoint ended unexpectedly (exit code {code}); was the machine out of memory?"
        )
        return msgspec.structs.replace(outcome, code="local_model", message=explanation)


LOOPBACK = "http://127.0.0.1"
"""The address of the embedded endpoint; its port is known once it runs."""


class Address:
    """Where a model's requests go, and their headers and secrets; created before anything is sent."""

    def __init__(self, model: Model, environment: Environment) -> None:
        self.model = model
        self.is_local = model.base_url == LOCAL
        self.base_url = LOOPBACK if self.is_local else environment.base_url(model)
        self.proxy = None if self.is_local else environment.proxy(model)
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self._proxy_variable: str | None = None
        readers = [self.base_url]
        if self.proxy and self.base_url.lower().startswith("http:"):
            readers.append(self.proxy)  # without TLS, a proxy reads the headers
        secrets = environment.secrets(model)
        if self.proxy is None and model.env_proxy and not self.is_local:
            secrets += self._take_from(environment, readers)
        self.credentials = Credentials(
            None if self.is_local else environment.api_key(model, readers),
            environment.headers(model, readers),
            tuple(secrets),
        )
        if not self.is_local:
            self.warnings += environment.warnings(model)

    @property
    def shown_url(self) -> str:
        """The base URL for messages: variables in it as written, a variable's URL without random parts."""
        written = self.model.base_url or ""
        if REFERENCE.fullmatch(written):
            parts = url_for_display(self.base_url).split("/")
            return "/".join([*parts[:3], *("…" if looks_random(part) else part for part in parts[3:])])
        return written if REFERENCE.search(written) else self.base_url

    def sources(self, environment: Environment) -> dict[str, str]:
        """Return the variables and key files that these come from, with their values."""
        if self.is_local:
            return {}
        found = environment.sources(self.model)
        if self._proxy_variable is not None:
            found[self._proxy_variable] = environment.variable(self._proxy_variable)
        return found

    def _take_from(self, environment: Environment, readers: list[str]) -> list[str]:
        """Use the proxy that the environment names, if any; return its secrets."""
        target = trust.shown(self.base_url, self.model.base_url)
        found = environment.environment_proxy(self.base_url, target)
        if found is None:
            return []
        self.proxy = found.url
        where = trust.origin(found.url)
        self.notices.append(f"requests to {target} go through the proxy {where} ({found.variable})")
        is_read = self.base_url.lower().startswith("http:")
        if is_read and not environment.has_trusted(found):
            readers.append(found.url)
        secrets = secrets_in_url(found.url)
        if secrets:
            self._proxy_variable = found.variable
        return secrets


def members(model: Model) -> dict[str, Model]:
    """Return the endpoints of a model by name, each as if it were the model's only one.

    A single endpoint has the model's name. The names of several include their addresses as written.
    """
    if not model.base_urls:
        return {model.id: model}
    return {f"{model.id} at {url}": replace(model, base_url=url, base_urls=()) for url in model.base_urls}


def check_addresses(jobs: Iterable[JobFile], environment: Environment) -> None:
    """Look up the addresses and keys of all jobs. Raises ``UntrustedKeyError`` and ``UsageError``."""
    for job in jobs:
        for model in job.models:
            for member in members(model).values():
                Address(member, environment)


class Endpoints:
    """Opens only what a run needs, on an exit stack that closes it again.

    ``workers`` execute the attempts; without them, this process does.
    """

    def __init__(
        self,
        job: JobFile,
        environment: Environment,
        stack: AsyncExitStack,
        progress: Callable[[int, int], None],
        workers: Workers | RayWorkers | None = None,
    ) -> None:
        limits = job.timeouts
        self._timeouts = Timeouts(limits.connect, limits.first_byte, limits.idle, limits.total)
        self._finish_reasons = job.finish_reasons
        self._cache = environment.cache
        self._stack = stack
        self._progress = progress
        self._workers = workers
        self._engines: dict[str, tuple[Endpoint, Process]] = {}

    async def open(self, addresses: Mapping[str, Address]) -> dict[str, Provider]:
        """Return the providers by the names of the addresses. Starts the embedded endpoint if needed."""
        specs = [await self._spec(address) for address in addresses.values()]
        providers = await self._providers(specs)
        return {
            name: self._watched(address, provider)
            for (name, address), provider in zip(addresses.items(), providers, strict=True)
        }

    async def _providers(self, specs: list[EndpointSpec]) -> Sequence[Provider]:
        if self._workers is not None:
            return await self._workers.start(specs)
        return await open_endpoints(specs, self._stack)

    async def _spec(self, address: Address) -> EndpointSpec:
        model, credentials = address.model, address.credentials
        dialect = dialect_of(model.provider)
        spec = EndpointSpec(
            dialect.NAME,
            address.base_url,
            ClientSpec(self._timeouts, address.proxy, model.keep_alive, self._finish_reasons),
            credentials.api_key,
            dict(credentials.headers),
            credentials.secrets,
            stream=model.mode == "stream",
            models=(dialect.canonical(model.model),),
            shown_url=None if address.is_local else address.shown_url,
            is_per_worker=model.endpoint_scope == "worker",
        )
        if not address.is_local:
            return spec
        if dialect.EMBEDDED_PATH is None:
            raise UsageError(f"the embedded endpoint does not speak `{dialect.NAME}`")
        endpoint, _ = await self._engine(model.engine or ENGINES[0])
        return msgspec.structs.replace(
            spec, base_url=endpoint.base_url + dialect.EMBEDDED_PATH, api_key=endpoint.api_key
        )

    def _watched(self, address: Address, provider: Provider) -> Provider:
        """Return the provider; that of an embedded endpoint checks whether its process runs."""
        if not address.is_local:
            return provider
        _, child = self._engines[address.model.engine or ENGINES[0]]
        return EmbeddedEndpoint(provider, child)

    async def _engine(self, engine: str) -> tuple[Endpoint, Process]:
        from batch.local_model.parent import started  # noqa: PLC0415 - most runs have another endpoint

        if engine not in self._engines:
            context = started(engine, cache=self._cache, progress=self._progress)
            self._engines[engine] = await self._stack.enter_async_context(context)
        return self._engines[engine]
