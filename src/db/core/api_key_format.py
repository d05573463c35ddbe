"""Credential: the text of an API key, and what is stored of it.

`dn_<env>_<id>_<secret><checksum>`: 8 characters name the key, 43 hold 256 random bits, 6 are the
CRC-32 of all before them. So scanners recognise a leaked key, and one with a typo is refused
without asking the database. Stored is HMAC-SHA256(pepper, secret): whoever reads the table alone
can neither use a key nor try guesses; a slow hash would only serve guessable secrets.
"""

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from hashlib import sha256

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "dn_"
NO_HASH = "0" * 64  # what the secret of an unknown key is compared with
_TEXT = re.compile(r"(dn_([a-z]+)_([0-9A-Za-z]{8})_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """An API key as its holder knows it; only `text` shows the secret."""

    env: str
    prefix: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The whole key, to be shown once."""
        body = f"{PREFIX}{self.env}_{self.prefix}_{self.secret}"
        return body + _checksum(body)


@dataclass(frozen=True, slots=True)
class ApiKeyCodec:
    """What the keys of one deployment are made and hashed with."""

    env: str
    pepper: bytes = field(repr=False)

    def new(self) -> ApiKeyText:
        """A key that nobody has yet."""
        prefix = "".join(secrets.choice(ALPHABET) for _ in range(8))
        return ApiKeyText(self.env, prefix, _base62(secrets.randbits(256), 43))

    def read(self, text: str) -> ApiKeyText | None:
        """The key in a text, None where there is none of this deployment without a typo."""
        found = _TEXT.fullmatch(text)
        if found is None or found[2] != self.env or _checksum(found[1]) != found[5]:
            return None
        return ApiKeyText(found[2], found[3], found[4])

    def hashed(self, credential: ApiKeyText) -> str:
        """What is stored of a key, in hexadecimal."""
        return hmac.new(self.pepper, credential.secret.encode(), sha256).hexdigest()

    def proves(self, credential: ApiKeyText, stored: str | None) -> bool:
        """Whether a key is the stored one; takes as long for None, a key that is not stored."""
        return hmac.compare_digest(self.hashed(credential), stored or NO_HASH)


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
