"""Secrecy: what looks like a secret, by its name or by itself, and is therefore not stored.

It is refused rather too often than too seldom: an entry can always say where a secret is kept.
"""

import hmac
import re
from collections import Counter
from hashlib import sha256
from math import log2
from typing import Any

NAMES = re.compile(r"pass|secret|token|key|credential|dsn|_url$|private", re.IGNORECASE)
USER_INFO = re.compile(r"://[^/\s]*@")
LONG = 20  # characters: shorter texts hold too few for their entropy to say anything
DENSE = 4.0  # bits per character: words and numbers have less, random letters and digits more


def is_secret(name: str, text: str) -> bool:
    """Whether a text of that name may be a secret; nothing that is empty is one."""
    return bool(text) and bool(NAMES.search(name) or USER_INFO.search(text) or _is_dense(text))


def holds_secret(name: str, value: Any) -> bool:
    """Whether there may be a secret anywhere in JSON of that name: numbers are none."""
    if isinstance(value, dict):
        return any(holds_secret(key, part) for key, part in value.items())
    if isinstance(value, list):
        return any(holds_secret(name, part) for part in value)
    return isinstance(value, str) and is_secret(name, value)


def fingerprint(pepper: bytes, text: str) -> str:
    """Eight hexadecimal digits that tell secrets apart, and say nothing without the pepper."""
    return hmac.new(pepper, text.encode(errors="surrogateescape"), sha256).hexdigest()[:8]


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of a text, in bits per character."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * log2(share) for share in shares)


def _is_dense(text: str) -> bool:
    return any(len(word) >= LONG and entropy(word) > DENSE for word in text.split())
