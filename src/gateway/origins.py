"""Origins: sites whose pages may use the API from a browser (RFC 6454)."""

import re

ANY_PORT = ":*"
EXPOSED = "ETag, Retry-After, WWW-Authenticate, X-Request-Id"  # headers that pages may read

_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::[0-9]{1,5})?")
_PORTS = {"http": ":80", "https": ":443"}  # browsers leave them out

RawHeaders = tuple[tuple[bytes, bytes], ...]

_VARY = (b"vary", b"Origin")
_ALLOWED = (
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", EXPOSED.encode()),
)


class Origins:
    """The origins of a list with commas between; `:*` is any port. Raises ValueError."""

    def __init__(self, text: str) -> None:
        listed = [each.strip().lower() for each in text.split(",")]
        self.of_any_port = {
            _origin(each.removesuffix(ANY_PORT)) for each in listed if each.endswith(ANY_PORT)
        }
        self.exact = {_origin(each) for each in listed if not each.endswith(ANY_PORT)}

    def allow(self, origin: str) -> bool:
        if origin in self.exact or origin in self.of_any_port:
            return True
        site, _, port = origin.rpartition(":")
        return site in self.of_any_port and port.isascii() and port.isdecimal()

    def headers(self, origin: str | None) -> RawHeaders:
        """The headers of every response to a page of this origin; None is no page."""
        if origin is None or not self.allow(origin):
            return (_VARY,)
        return (_VARY, *_ALLOWED, (b"access-control-allow-origin", origin.encode("latin-1")))


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError(
            f"{text or 'nothing'} is no origin: list origins such as https://app.example.org, "
            "without a path; the port may be *"
        )
    return text.removesuffix(_PORTS[text.partition(":")[0]])
