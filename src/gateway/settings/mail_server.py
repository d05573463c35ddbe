"""Server: the SMTP server that mail is handed to, as settings name it."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

PORTS = {"smtp": 587, "smtps": 465}  # RFC 6409, RFC 8314
FORM = "must be a URL such as smtp://user:password@mail.example.org:587, or smtps://"


@dataclass(frozen=True, slots=True)
class MailServer:
    """`smtps` begins with TLS; `smtp` requires STARTTLS."""

    host: str
    port: int
    begins_with_tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of_url(cls, url: str) -> Self:
        """Raises ValueError, which does not show the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(FORM) from None
        if not _is_acceptable(parts) or parts.hostname is None:
            raise ValueError(FORM)
        default = PORTS[parts.scheme]
        names = [unquote(each) if each else None for each in (parts.username, parts.password)]
        return cls(parts.hostname, port or default, parts.scheme == "smtps", *names)


def _is_acceptable(parts: SplitResult) -> bool:
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    has_both = bool(parts.username) == bool(parts.password)
    return parts.scheme in PORTS and is_bare and has_both
