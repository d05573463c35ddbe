"""Stream format: how the messages of a subscription are encoded in a response body."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

HEADERS = {
    "cache-control": "no-store, no-transform",
    "vary": "Accept",
    "x-accel-buffering": "no",  # nginx would collect messages until its buffer is full
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFormat:
    """One encoding of messages; `message` takes a JSON payload and its cursor.

    Clients ask for it by `media_type`; `parameters` follow it in the header Content-Type. If a
    client accepts several formats equally, the one with the lowest `rank` is used.
    """

    media_type: str
    parameters: str
    rank: int
    opening: Callable[[], bytes]
    message: Callable[[bytes, str | None], bytes]
    silence: bytes
    completed: bytes
    interrupted: bytes  # the last bytes if the gateway ends the stream

    def whole(self, payload: bytes) -> Response:
        body = [self.opening(), self.message(payload, None), self.completed]
        return Response(b"".join(body), headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": f"{self.media_type};{self.parameters}", **HEADERS}
