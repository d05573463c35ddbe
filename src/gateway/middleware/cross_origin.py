"""Cross-origin requests: the answers that browsers need to let pages of other sites use the API
(CORS, Fetch §3.3)."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Send

from gateway.errors import HttpError, refusal
from gateway.origins import Origins
from gateway.request_record import new_request_id

METHODS = ("GET", "HEAD", "POST")
PREFLIGHT_SECONDS = 2 * 60 * 60  # that browsers keep an answer; Chrome keeps none longer
NOT_LISTED = "Pages of this origin may not use this API: list it in DREAMNET_CORS_ORIGINS."


class CrossOrigin(CORSMiddleware):
    """Answers preflight requests, and lets pages of listed origins read responses."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        super().__init__(
            app,
            allow_methods=METHODS,
            allow_headers=("*",),
            allow_credentials=True,
            allow_private_network=True,
            max_age=PREFLIGHT_SECONDS,
        )
        self.origins = origins

    def is_allowed_origin(self, origin: str) -> bool:
        return self.origins.allow(origin)

    def preflight_response(self, request_headers: Headers) -> Response:
        if not self.origins.allow(request_headers["origin"]):
            refused = HttpError(NOT_LISTED, 403, headers={"vary": "Origin"})
            return refusal(refused, new_request_id())
        return super().preflight_response(request_headers)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        if message["type"] == "http.response.start":
            added = self.origins.headers(request_headers.get("origin"))
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)


def check_stream_origin(headers: Headers, origins: Origins | None) -> None:
    """Raises HttpError for a stream that a page of another site opens, unless it is listed.
    Browsers send no preflight request for a WebSocket or an EventSource."""
    origin = headers.get("origin")
    if origins is None or origin is None or origins.allow(origin):
        return
    if origin.partition("://")[2] != headers.get("host"):
        raise HttpError(NOT_LISTED, 403)
