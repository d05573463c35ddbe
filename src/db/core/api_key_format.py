"""API key format: the text of a key, and its stored hash.

`dn_<env>_<id>_<secret><checksum>`: 8 characters identify the key, 43 hold 256 random bits, 6 are
the CRC-32 of the preceding text. So scanners recognize a leaked key, and a key with a typo is
rejected without a query. Stored is HMAC-SHA256(pepper, secret): the table alone is not enough to
use a key or to test guesses. A slow hash would only help guessable secrets.
"""

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from hashlib import sha256

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "dn_"
NO_HASH = "0" * 64  # compared with the secret of an unknown key
_TEXT = re.compile(r"(dn_([a-z]+)_([0-9A-Za-z]{8})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """The parts of an API key; only `text` shows the secret."""

    env: str
    prefix: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        body = f"{PREFIX}{self.env}_{self.prefix}_{self.secret}"
        return body + _checksum(body)


@dataclass(frozen=True, slots=True)
class ApiKeyCodec:
    """Creates, parses and hashes the API keys of one deployment."""

    env: str
    pepper: bytes = field(repr=False)

    def new(self) -> ApiKeyText:
        prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
        return ApiKeyText(self.env, prefix, _base62(secrets.randbits(256), 43))

    def read(self, text: str) -> ApiKeyText | None:
        found = _TEXT.fullmatch(text)
        if found is None or found[2] != self.env or _checksum(found[1]) != found[5]:
            return None
        return ApiKeyText(found[2], found[3], found[4])

    def hashed(self, credential: ApiKeyText) -> str:
        return hmac.new(self.pepper, credential.secret.encode(), sha256).hexdigest()

    def proves(self, credential: ApiKeyText, stored: str | None) -> bool:
        """True if the hash of a key is `stored`; takes as long for None, an unknown key."""
        return hmac.compare_digest(self.hashed(credential), stored or NO_HASH)


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
