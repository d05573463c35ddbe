"""Secret detection: find secrets by name, format and entropy, to reject or mask them.

The formats are those that secret scanners search for: published prefixes of well-known services,
private keys, passwords in URLs, and random letters and digits.
"""

import hmac
import re
from collections import Counter
from hashlib import sha256
from math import log2
from operator import is_not

from db.core.values.json import JsonValue

MASKED = "(masked)"
NESTING = (dict, list)


def is_secret(name: str, text: str) -> bool:
    """True if a setting of that name and text may be a secret; false for an empty text."""
    return bool(text) and (_names_setting(name) or looks_secret(text))


def holds_secret(name: str, value: JsonValue) -> bool:
    if isinstance(value, dict):
        return any(looks_secret(k) or holds_secret(k, part) for k, part in value.items())
    if isinstance(value, list):
        return any(holds_secret(name, part) for part in value)
    return isinstance(value, str) and is_secret(name, value)


def looks_secret(text: str) -> bool:
    """True if a text holds a credential of a known format, or a run of high entropy."""
    return (
        holds_credential(text)
        or any(map(_names_setting, _ASSIGNMENT.findall(f" {text}")))
        or any(entropy(run) > HEX_DENSE for run in _HEX.findall(text))
        or any(len(word) >= LONG and entropy(word) > DENSE for word in text.split())
    )


def holds_credential(text: str) -> bool:
    return bool(_CREDENTIALS.search(text) or _USER_INFO.search(text))


def fingerprint(pepper: bytes, text: str) -> str:
    """Eight hexadecimal digits that distinguish secrets, useless without the pepper."""
    return hmac.new(pepper, text.encode(errors="surrogateescape"), sha256).hexdigest()[:8]


def entropy(text: str) -> float:
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * log2(share) for share in shares)


# Masking


def masked_row(row: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The row with secrets masked in its JSON and in `error`: values of secret names, and
    credentials of known formats. Returns the same object if there are none."""
    changed = {
        name: new
        for name, value in row.items()
        if (isinstance(value, NESTING) or name == "error") and (new := _masked(value)) is not value
    }
    return row | changed if changed else row


def _masked(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, dict):
        return _masked_object(value)
    return _masked_list(value) if isinstance(value, list) else value


def _masked_text(text: str) -> str:
    if len(text) < _SHORTEST or not _may_hold_credential(text):
        return text
    new = _CREDENTIALS.sub(_mask, text)
    return text if new == text else new


def _may_hold_credential(text: str) -> bool:
    if _MAYBE.search(text):
        return True
    return (":" in text or "=" in text) and bool(_ASSIGNED.search(text))


def _masked_object(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    changed: dict[str, JsonValue] = {}
    renamed = False
    for name, part in value.items():
        secret = _KNOWN.get(name) or _secret_values(name)
        if secret != NOTHING and _is_masked(secret, part):
            changed[name] = MASKED
        elif isinstance(part, str | dict | list) and (new := _masked(part)) is not part:
            changed[name] = new
        renamed = renamed or secret == NAME
    if "value" in value and _is_labelled(value):
        changed["value"] = MASKED
    value = value | changed if changed else value
    return {_masked_text(name): part for name, part in value.items()} if renamed else value


def _is_labelled(value: dict[str, JsonValue]) -> bool:
    label = value.get("name", value.get("key"))
    return isinstance(label, str) and _is_masked(_secret_values(label), value["value"])


def _masked_list(value: list[JsonValue]) -> list[JsonValue]:
    parts = [_masked_pair(part) if isinstance(part, list) else _masked(part) for part in value]
    return parts if any(map(is_not, parts, value)) else value


def _masked_pair(value: list[JsonValue]) -> list[JsonValue]:
    """Mask a nested list, which may be a name and a value, as in a list of headers."""
    match value:
        case [str() as name, part] if _is_masked(_secret_values(name), part):
            return [name, MASKED]
    return _masked_list(value)


def _is_masked(secret: int, value: JsonValue) -> bool:
    if value is None or isinstance(value, bool) or value == "":
        return False
    return secret == ALL or (secret == TEXTS and _holds_text(value))


def _holds_text(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_text, value.values()))
    return any(map(_holds_text, value)) if isinstance(value, list) else isinstance(value, str)


def _mask(found: re.Match[str]) -> str:
    return f"{found['kept'] or found['scheme'] or found['name'] or ''}{MASKED}"


# Names, as lists of words: `apiKey`, `API_KEY` and `x-api-key` are the same.

NOTHING, TEXTS, ALL, NAME = range(1, 5)  # what is secret: values of a name, or the name itself
_KNOWN: dict[str, int] = {}  # by name
_MOST_NAMES, _LONGEST_NAME = 10_000, 64  # that are remembered

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Secret anywhere in a name, with numbers too, unless the name ends in one of `_ABOUT`.
_STRONG = re.compile(
    r"passw|passphrase|passcode|secret|credential|pwd|(?:api|access|private|encryption|signing|"
    r"service|account|master|shared|ssh|auth)_?keys?(?:$|_)"
)
_ABOUT = {
    *("at", "id", "ids", "type", "name", "names", "count", "counts", "length", "len", "size"),
    *("expires", "expiry", "expiration", "age", "ttl", "used", "usage", "limit", "version"),
    *("policy", "enabled", "required", "valid", "status", "state", "method", "provider"),
}
# Secret only at the end of a name and with text: `cost_per_token` with a number is not.
_WEAK = {
    *("pass", "pw", "token", "tokens", "auth", "authorization", "cookie", "cookies", "salt"),
    *("pepper", "dsn", "jwt", "otp", "pat", "bearer", "signature", "sig", "csrf", "xsrf"),
}
_JOINED = ("token", "tokens", "cookie", "cookies", "authorization", "signature")  # `authtoken`
_AFTER = {*("value", "header", "headers", "text", "string", "raw", "plain", "hex", "hash")}
# Secret anywhere in the name of a setting: a setting that is rejected can be stored as a reference.
_SETTING = _WEAK | {"key", "keys", "private", "sign"}


def _secret_values(name: str) -> int:
    secret = _KNOWN.get(name)
    if secret is None:
        secret = NAME if _masked_text(name) is not name else _classified(_words(name))
        if len(name) <= _LONGEST_NAME and len(_KNOWN) < _MOST_NAMES:
            _KNOWN[name] = secret
    return secret


def _classified(words: list[str]) -> int:
    if not words or words[-1] in _ABOUT:
        return NOTHING
    if _STRONG.search("_".join(words)):
        return ALL
    while len(words) > 1 and words[-1] in _AFTER:
        words.pop()
    return TEXTS if words[-1] in _WEAK or words[-1].endswith(_JOINED) else NOTHING


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _names_setting(name: str) -> bool:
    words = _words(name)
    joined = any(word.endswith((*_JOINED, "pass", "key")) for word in words)
    return joined or bool(_STRONG.search("_".join(words))) or not _SETTING.isdisjoint(words)


# Texts

LONG = 20  # characters: the entropy of shorter texts is not significant
DENSE = 4.0  # bits per character: words and numbers have less, random letters and digits more
HEX_DENSE = 3.0  # of at most 4
_HEX = re.compile(rf"(?<![0-9A-Za-z])(?=[0-9a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{{{LONG},}}")
_USER_INFO = re.compile(r"://[^/\s@]*@")
_ASSIGNMENT = re.compile(r"[?&;\s]([\w.-]+)=[^\s&;]")
_CREDENTIALS = re.compile(  # no part may scan the rest of a text from each of its positions
    r"(?P<kept>://[^/\s:@?#]*:)[^/\s@]+(?=@)"  # the password in a URL
    r"|-----BEGIN[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END[^-]*-----|\Z)"
    r"|\b(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}\b"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"  # JSON Web Tokens
    r"|\bgh[oprsu]_\w{30,}|\bgithub_pat_\w{22,}|\bgl[a-z]{2,6}-[\w-]{20,}"
    r"|\bxox[a-z]-[\w-]{10,}|hooks\.slack\.com/services/[\w/]+"
    r"|\bsk-[\w-]{16,}|\b[rs]k_(?:live|test)_\w{10,}|\bwhsec_\w{16,}"
    r"|\bAIza[\w-]{30,}|\bnpm_\w{30,}|\bpypi-[\w-]{16,}|\bhf_\w{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    r"|\bsq0[a-z]{3}-[\w-]{20,}|\b[0-9a-f]{32}-us[0-9]{1,2}\b|\b[0-9]{8,10}:AA[\w-]{33}\b"
    r"|\bdn_(?:prod|dev|test)_\w{20,}"  # keys of this API
    r"|(?P<scheme>\b(?:[Bb]earer|[Bb]asic) )[\w.~+/=-]{16,}"
    r"|(?P<name>(?i:passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|account|private)[_-]?key)"
    r"\\?[\"']?\s?(?:=\s?|:\s?(?=\\?[\"']|[^\s,;&]{0,100}[0-9]))\\?[\"']?)[^\s,;&\"'\\]{3,}",
    re.DOTALL,
)
_SHORTEST = 7  # characters of a text that holds one, such as `pwd=abc`
_ASSIGNED = re.compile(r"(?i:pass|pwd|secret|token|key)")
_MAYBE = re.compile(
    r"://|sk[-_]|rk_|-----B|A(?:[KS]I|BI|CC|3T)|eyJ|g(?:h[oprsu]_|ithub_pat_|l[a-z]{2,6}-)|xox"
    r"|s\.slack|whsec_|AIza|npm_|pypi-|hf_|SG\.|sq0|-us[0-9]|:AA|dn_[pdt]|(?:earer|asic) "
)
