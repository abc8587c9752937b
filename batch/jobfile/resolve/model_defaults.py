"""Resolve the models of a job, each with the job's defaults merged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.diagnostics import At, Findings, Place, did_you_mean, dotted
from batch.errors import ModelNotFoundError
from batch.files import open_regular, reason
from batch.jobfile.endpoint_checks import ENGINES, LOCAL
from batch.jobfile.job import Model, RateLimits, TokenPrice, Written
from batch.jobfile.paths import Bounds, OutsideError
from batch.jobfile.resolve.merged_settings import (
    first_written,
    merged_headers,
    merged_proxy,
    response_format,
)
from batch.jobfile.resolve.model_checks import (
    check_currency,
    check_endpoint,
    check_engine_used,
    check_format,
    check_pool,
    check_unique,
)
from batch.jobfile.resolve.written_places import is_written, name_at, written_places
from batch.jobfile.schema.model_spec import EndpointSpec, ModelSpec
from batch.wire.dialects.registry import dialect_of, names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batch.jobfile.job import ProviderName, Scope
    from batch.jobfile.schema.job_spec import JobSpec
    from batch.jobfile.syntax.tree import Tree


class _Entry(Struct, frozen=True):
    """A model as written, and its place; ``place`` is set if a row of a JSONL job names it."""

    spec: ModelSpec
    at: At
    place: Place | None = None


class Models(Struct, eq=False):
    """Resolves the models of one job; errors go to ``findings``.

    ``provider`` is the provider that the rows imply if none is written.
    """

    spec: JobSpec
    tree: Tree
    findings: Findings
    bounds: Bounds
    provider: ProviderName | None = None
    _reported: set[tuple[At, str]] = set()

    def of_job(self) -> tuple[Model, ...]:
        """Return the models that the job file names."""
        check_endpoint(self.spec, (), self.findings)
        check_format(self.spec, self.findings)
        entries = self._entries()
        if not entries:
            self._address(self.spec, ())
        models = tuple(self._resolve(entry) for entry in entries)
        check_unique(dict(zip((entry.at for entry in entries), models, strict=True)), self.findings)
        check_engine_used(self.spec, models, self.findings)
        check_currency([(self.spec, ()), *((entry.spec, entry.at) for entry in entries)], self.findings)
        return tuple(model for model in models if model is not None)

    def of_rows(self, names: Mapping[str, Place]) -> tuple[Model, ...]:
        """Return the models that only rows name, with the job's defaults."""
        specs = [_Entry(ModelSpec(model=name), (), place) for name, place in names.items()]
        return tuple(model for entry in specs if (model := self._resolve(entry)) is not None)

    def _entries(self) -> list[_Entry]:
        if self.spec.model is not None:
            return [_Entry(self.spec.model, ("model",))]
        entries = [_Entry(model, ("models", index)) for index, model in enumerate(self.spec.models or ())]
        return [entry for entry in entries if entry.at not in self.tree.invalid]

    def _resolve(self, entry: _Entry) -> Model | None:
        own, job = entry.spec, self.spec
        if entry.at:
            check_endpoint(own, entry.at, self.findings)
            check_pool(own, entry.at, self.findings)
        provider, base_url = self._address(own, entry.at)
        if provider is None:
            return None
        self._check_name(entry, provider)
        keys: tuple[EndpointSpec, At] = (own, entry.at)
        if not (own.api_key_env or own.api_key_file):
            keys = (job, ())
        proxy, env_proxy = merged_proxy(own, job)
        price = own.price or job.price
        return Model(
            id=own.id or own.model,
            provider=provider,
            model=own.model,
            base_url=base_url,
            base_urls=tuple(own.base_urls or ()),
            engine=self._engine(entry, base_url),
            api_key_env=keys[0].api_key_env,
            api_key_file=self._path(keys[0].api_key_file, (*keys[1], "api_key_file")),
            headers=merged_headers(job.headers, own.headers),
            proxy=proxy,
            env_proxy=env_proxy,
            mode=own.mode or job.mode or "stream",
            keep_alive=first_written(own.keep_alive, job.keep_alive),
            endpoint_scope=self._scope(own, entry.at, base_url),
            params={**response_format(job), **job.params, **own.params},
            concurrency=own.concurrency,
            rate_limits=self._rate_limits(own),
            price=None if price is None else TokenPrice(**price.model_dump()),
            written=written_places(self.tree, entry.at, (self.spec, own), self._name_place(entry)),
        )

    def _rate_limits(self, own: EndpointSpec) -> RateLimits:
        """Return the model's rate limits, and the job's for those that it does not have."""
        own_limits, job_limits = own.rate_limits, self.spec.rate_limits
        return RateLimits(
            rpm=job_limits.rpm if own_limits.rpm is None else own_limits.rpm,
            tpm=job_limits.tpm if own_limits.tpm is None else own_limits.tpm,
        )

    def _address(self, own: EndpointSpec, at: At) -> tuple[ProviderName | None, str | None]:
        """Return the provider and the address of a model, its own or the job's.

        A model with several addresses needs no other.
        """
        pool = bool(at) and is_written(self.tree, at, "base_urls")
        provider = own.provider or self.spec.provider or self.provider
        base_url = None if pool else own.base_url or self.spec.base_url
        if provider is None:
            what = "is missing; it has no default"
            self._report_missing(
                at, "provider", what, "write " + " or ".join(f"`{name}`" for name in names())
            )
            return None, base_url
        dialect = dialect_of(provider)
        if base_url is None and not pool and dialect.DEFAULT_URL is None:
            self._report_missing(
                at, "base_url", f"is missing; `{provider}` has no default address", dialect.URL_HINT
            )
        elif base_url == LOCAL and dialect.EMBEDDED_PATH is None:
            key = (*at, "base_url") if is_written(self.tree, at, "base_url") else ("base_url",)
            self._report_once(key, f"the embedded endpoint does not speak `{provider}`", "")
        return provider, base_url

    def _scope(self, own: EndpointSpec, at: At, base_url: str | None) -> Scope:
        """Return whose server an address leads to. The embedded endpoint runs once, beside the driver."""
        scope = own.endpoint_scope or self.spec.endpoint_scope or "job"
        if scope == "worker" and base_url == LOCAL:
            key = (*at, "endpoint_scope") if own.endpoint_scope else ("endpoint_scope",)
            hint = "start a server on each node, and write its address as `base_url`"
            self._report_once(key, "the embedded endpoint is not on every node", hint)
        return scope

    def _report_missing(self, at: At, key: str, what: str, hint: str) -> None:
        """Report once what is missing: in the model if it has its own provider, else in the job."""
        if is_written(self.tree, at, key) or is_written(self.tree, (), key):
            return  # reported as invalid before
        self._report_once((*at, key) if is_written(self.tree, at, "provider") else (key,), what, hint)

    def _check_name(self, entry: _Entry, provider: ProviderName) -> None:
        try:
            dialect_of(provider).canonical(entry.spec.model)
        except ModelNotFoundError as error:
            hint = did_you_mean(entry.spec.model, error.known)
            what = error.what if hint else str(error)
            if entry.place:
                self.findings.at_place(entry.place, "model", what, hint)
            else:
                self.findings.at_value(name_at(self.tree, entry.at), what, hint)

    def _name_place(self, entry: _Entry) -> Written:
        at = entry.at and name_at(self.tree, entry.at)
        return Written(dotted(at) or "model", entry.place or self.tree.places.value(at))

    def _engine(self, entry: _Entry, base_url: str | None) -> str | None:
        at: At = (*entry.at, "engine")
        engine = entry.spec.engine
        if base_url != LOCAL:
            if engine is not None:
                self._report_once(at, "is for the embedded endpoint", "write `base_url: local`")
            return None
        if engine is None:
            at, engine = ("engine",), self.spec.engine
        if engine is None or engine in ENGINES:
            return engine or ENGINES[0]
        if not engine.endswith(".gguf"):
            self._report_once(at, "expected `llama`, `extractive` or the path of a .gguf file", "")
            return None
        path = self._path(engine, at)
        if path is not None:
            self._check_weights(path, at)
        return str(path)

    def _check_weights(self, path: Path, at: At) -> None:
        try:
            open_regular(path).close()
        except OSError as error:
            self._report_once(at, reason(error), "")

    def _path(self, written: str | None, at: At) -> Path | None:
        if written is None:
            return None
        try:
            return self.bounds.resolve(written, trusted=at in self.tree.trusted, hidden=True)
        except OutsideError as error:
            self._report_once(at, str(error), "`--allow-path` allows another folder")
            return None

    def _report_once(self, at: At, what: str, hint: str) -> None:
        if (at, what) not in self._reported:
            self._reported.add((at, what))
            self.findings.at_key(at, what, hint)
