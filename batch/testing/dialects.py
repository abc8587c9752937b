"""Requirements of every dialect, as tests to subclass.

::

    from batch.testing.dialects import DialectConformance
    from my_package import my_dialect

    class TestMyDialect(DialectConformance):
        dialect = my_dialect

pytest collects the tests of the subclass. They send real requests to a server on loopback.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import anyio
from yarl import URL

from batch.errors import ModelNotFoundError
from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.providers.dialect_endpoint import DialectEndpoint
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Reply, Request
from batch.testing.fault_server import FaultServer
from batch.testing.replies import answer, status, whole
from batch.testing.script import Cut, Send

if TYPE_CHECKING:
    from batch.records import JSONObject, Outcome
    from batch.testing.script import Script
    from batch.wire.dialects.protocol import Dialect

KEY = "sk-a-key-of-the-conformance-suite-0123456789"
MESSAGES: tuple[JSONObject, ...] = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Wie heißt »é𝄞«?"},
)
BASE_URLS = ("http://h.test", "http://h.test/", "http://h.test/a/v1", "http://h.test/a/v1/")
UNKNOWN = "an unknown model"
OTHER_FAILURES = (
    Failure("connect", "refused"),
    Failure("http_429", "HTTP 429: slow down", http_status=429),
    Failure("http_500", "HTTP 500: oops", http_status=500),
    Failure("bad_request", "HTTP 400: the prompt is too long", http_status=400),
)
PATIENT = Timeouts(connect=10, first_byte=10, idle=10)


class DialectConformance:
    """The tests. ``dialect`` is the module; ``model`` a canonical model, by default the first one.

    ``reply`` returns the bytes of an answer, for a dialect with a response format of its own.
    """

    dialect: Dialect
    model = ""

    def reply(self, text: str, *, stream: bool) -> Script:
        """Return a whole answer of the server, streamed or not."""
        return answer(text) if stream else whole(text)

    def test_names_lead_to_canonical_names(self) -> None:
        """A canonical name is its own canonical name, and an alias maps to a known model."""
        dialect, models = self.dialect, self.dialect.MODELS
        _require(dialect.NAME and dialect.NAME.strip() == dialect.NAME, "NAME must be a name")
        for model in models or (self._model,):
            _require(self._leads(model, model), f"{model!r} must be its own canonical name")
        for alias, model in dialect.ALIASES.items():
            _require(self._leads(alias, model), f"{alias!r} must stand for {model!r}")
            _require(models is None or model in models, f"{alias!r} stands for no model")

    def test_an_unknown_model_is_an_error(self) -> None:
        """A dialect that lists its models accepts no other; one that lists none accepts any name."""
        try:
            name = self.dialect.canonical(UNKNOWN)
        except ModelNotFoundError:
            _require(self.dialect.MODELS is not None, "without MODELS any name must do")
        else:
            _require(self.dialect.MODELS is None and name == UNKNOWN, "an unknown model must be refused")

    def test_a_job_without_an_address_has_one_or_an_error_says_so(self) -> None:
        """The default is a URL; without one there is a hint, which may be empty."""
        default = self.dialect.DEFAULT_URL
        _require(default is None or URL(default).scheme in ("http", "https"), "DEFAULT_URL must be http(s)")
        _require(isinstance(self.dialect.URL_HINT, str), "URL_HINT must be a text")

    def test_requests_go_below_the_base_url(self) -> None:
        """The origin and path of the base URL are kept, and its query stays at the end."""
        for base_url in BASE_URLS:
            url = self.dialect.url(base_url, self._model)
            _require(url.startswith(base_url.rstrip("/")), f"{url} is not below {base_url}")
            _require(url == self.dialect.url(base_url.rstrip("/"), self._model), "a slash must not matter")
            queried = self.dialect.url(f"{base_url}?v=1&x=/", self._model)
            _require(queried.endswith("?v=1&x=/"), f"{queried} must end in the query of its base URL")

    def test_headers_are_lines_and_hold_no_key(self) -> None:
        """They name the sender and request no compression; only ``key_headers`` contain the key."""
        for stream in (True, False):
            headers = {**self.dialect.headers("tester/1", stream=stream)}
            _require(headers.get("user-agent") == "tester/1", "the user agent must be sent")
            _require(headers.get("accept-encoding") == "identity", "no compression must be asked for")
            _require_lines({**headers, **self.dialect.key_headers(KEY)})
            _require(not headers.keys() & self.dialect.key_headers(KEY).keys(), "the key must come alone")

    def test_the_body_depends_on_the_request_alone(self) -> None:
        """Equal requests have equal bodies, other messages have others, and the arguments are not changed."""
        messages, params = list(copy.deepcopy(MESSAGES)), {"temperature": 0, "stop": ["x"]}
        body = self._encode(messages, params)
        _require(body == self._encode(messages, params), "equal requests must have equal bodies")
        _require(messages == list(MESSAGES), "the messages must not be changed")
        _require(params == {"temperature": 0, "stop": ["x"]}, "the parameters must not be changed")
        _require(body != self._encode(messages[:1], params), "the body must hold the messages")
        _require(body != self._encode(messages, {}), "the body must hold the parameters")

    def test_no_parameter_replaces_a_field_of_the_dialect(self) -> None:
        """A parameter of the same name replaces neither the messages nor the stream."""
        for stream in (True, False):
            body = self._encode(MESSAGES, {}, stream=stream)
            for name in _fields(body):
                _require(
                    self._encode(MESSAGES, {name: "intruder"}, stream=stream) == body,
                    f"a parameter must not replace {name!r}",
                )

    def test_only_optional_fields_can_be_refused(self) -> None:
        """Other failures do not reject optional fields, and without optional fields no failure does."""
        for stream in (True, False):
            full = self._encode(MESSAGES, {}, stream=stream)
            least = self._encode(MESSAGES, {}, stream=stream, with_optional=False)
            named = Failure("bad_request", f"HTTP 400: unknown: {full.decode()}", http_status=400)
            failures = (*OTHER_FAILURES, named) if full == least else OTHER_FAILURES
            for failure in failures:
                refused = self.dialect.refuses_optional(failure, stream=stream)
                _require(not refused, f"{failure.message!r} refuses no optional field")

    def test_an_answer_comes_back(self) -> None:
        """Both modes return the answer, with the key in the dialect's place."""
        for stream in (True, False):
            anyio.run(self._answer_comes_back, stream)

    def test_a_key_that_is_echoed_is_removed(self) -> None:
        """The key is removed in any form in which the dialect sends it."""
        anyio.run(self._echo_is_redacted)

    def test_an_answer_that_is_cut_is_none(self) -> None:
        """Cut at any byte, the outcome is a failure or the whole answer."""
        anyio.run(self._cut_at_every_byte)

    @property
    def _model(self) -> str:
        return self.model or next(iter(self.dialect.MODELS or ("m",)))

    def _leads(self, name: str, model: str) -> bool:
        try:
            return self.dialect.canonical(name) == model
        except ModelNotFoundError:
            return False

    def _encode(
        self, messages: Any, params: JSONObject, *, stream: bool = True, with_optional: bool = True
    ) -> bytes:
        return self.dialect.encode(
            self._model, messages, params, thread_id="t-1", stream=stream, with_optional=with_optional
        )

    async def _ask(self, client: HttpClient, base_url: str, *, stream: bool = True) -> Outcome:
        endpoint = DialectEndpoint(self.dialect, client, base_url, Credentials(KEY), stream=stream)
        return await endpoint.complete(Request("a", "f", "t", self._model, MESSAGES))

    async def _answer_comes_back(self, stream: bool) -> None:
        script = self.reply("Hello", stream=stream)
        async with FaultServer(script) as server, HttpClient(PATIENT) as client:
            outcome = await self._ask(client, server.url + "/base", stream=stream)
            url = URL(self.dialect.url(server.url + "/base", self._model))
        _require(isinstance(outcome, Reply) and outcome.text == "Hello", f"no whole answer: {outcome}")
        (received,) = server.requests
        _require(received.method == "POST" and received.target == url.raw_path_qs, "POST to the URL")
        for name, value in self.dialect.key_headers(KEY).items():
            _require(received.headers.get(name) == value, f"the header {name} must hold the key")

    async def _echo_is_redacted(self) -> None:
        sent = [KEY, *(value.rpartition(" ")[2] for value in self.dialect.key_headers(KEY).values())]
        body = json.dumps({"error": {"message": f"wrong: {' '.join(sent)}"}}).encode()
        async with FaultServer(status(401, body)) as server, HttpClient(PATIENT) as client:
            outcome = await self._ask(client, server.url)
        _require(isinstance(outcome, Failure), "a 401 must be a failure")
        _require(not any(secret in repr(outcome) for secret in sent), "the key must not come back")

    async def _cut_at_every_byte(self) -> None:
        parts = self.reply("Hello", stream=True)
        data = b"".join(part.data for part in parts if isinstance(part, Send))
        scripts: list[Script] = [[Send(data[:end]), Cut()] for end in range(1, len(data))]
        async with FaultServer(*scripts) as server, HttpClient(PATIENT) as client:
            for end in range(1, len(data)):
                outcome = await self._ask(client, server.url)
                is_true = isinstance(outcome, Failure) or outcome.text == "Hello"
                _require(is_true, f"cut after {end} bytes, it was taken for an answer")


def _fields(body: bytes) -> list[str]:
    """Return the names of a body's fields if it is a JSON object."""
    try:
        value = json.loads(body)
    except ValueError:
        return []
    return list(value) if isinstance(value, dict) else []


def _require_lines(headers: dict[str, str]) -> None:
    for name, value in headers.items():
        _require(name == name.lower(), f"the name of {name} must be in lower case")
        _require(not set("\r\n\0") & {*name, *value}, f"the header {name} must be one line")


def _require(condition: object, message: str) -> None:
    """Raise ``AssertionError``, even if Python runs with ``-O``."""
    if not condition:
        raise AssertionError(message)
