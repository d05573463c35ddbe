"""Signing: addresses of files that are valid for some minutes, without a credential."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlencode
from uuid import UUID

Right = Literal["upload", "download"]


@dataclass(frozen=True, slots=True)
class UrlSigner:
    """Signs with a secret of this deployment."""

    secret: bytes

    def url(self, right: Right, id: UUID, until: datetime) -> str:
        """The address relative to that of the API, so that it holds behind every proxy."""
        expires = int(until.timestamp())
        query = {"expires": expires, "signature": self._signature(right, id, expires)}
        return f"media/{id}?{urlencode(query)}"

    def is_valid(self, right: Right, id: UUID, query: Mapping[str, str], now: datetime) -> bool:
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not (expires.isdecimal() and expires.isascii() and len(expires) <= 12):
            return False
        expected = self._signature(right, id, int(expires))
        is_signed = hmac.compare_digest(expected.encode(), signature.encode())
        return is_signed and now < datetime.fromtimestamp(int(expires), UTC)

    def _signature(self, right: Right, id: UUID, expires: int) -> str:
        return hmac.digest(self.secret, f"{right} {id} {expires}".encode(), "sha256").hex()
