"""GET a small document, such as a server's list of models, with the connections of attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.errors import AttemptError
from batch.providers.timeouts import Alarm, Deadlines
from batch.providers.transport_errors import BROKEN, translate
from batch.records import Failure

if TYPE_CHECKING:
    from batch.providers.attempt import NewPost
    from batch.providers.http1 import Connections, Route
    from batch.providers.public_http import PublicConnections
    from batch.providers.timeouts import Timeouts, Watch

MAX_BYTES = 8 * 2**20
"""Maximum size of a document; what follows is not read."""


class Fetched(Struct, frozen=True):
    """The status and the body of a response."""

    status: int
    body: bytes


async def fetched(
    connections: Connections | PublicConnections, route: Route, timeouts: Timeouts, watch: Watch
) -> Fetched:
    """Send the request of a route without a body, and read the response. Raises ``AttemptError``."""
    alarm = Alarm(watch, Deadlines(timeouts, watch.loop.time()))
    new_post: NewPost = connections.post
    post = new_post(connections, route, alarm)
    alarm.set(post.hang_up)
    body = bytearray()
    try:
        response = await post.send(b"")
        while len(body) < MAX_BYTES and (data := await response.content.readany()):
            body += data
        if not alarm.has_rung:
            return Fetched(response.status, bytes(body[:MAX_BYTES]))
    except BROKEN as error:
        if not alarm.has_rung:
            raise AttemptError(Failure(*translate(error))) from None
    finally:
        alarm.drop()
        post.close()
    raise AttemptError(Failure("connect", "no response in time"))
