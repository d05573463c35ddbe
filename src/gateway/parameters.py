"""Parameters: what a GraphQL request asks for, taken from its body, its address or a message.

Everything a client may send instead is refused here, in a sentence, so that nothing behind the
door meets a value of a shape it does not expect.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.errors import Refused

MAX_DEPTH = 32  # of variables; our own encoder gives up at 254
_EXACT = 2**63  # orjson reads larger integers as floating point numbers, which loses digits
_LONG_NUMBER = re.compile(r"\d{19}")
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|\{0+\})")
_NUL = "PostgreSQL cannot store the character U+0000: remove it from the document."


@dataclass(frozen=True, slots=True)
class Parameters:
    """One operation to run."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None


def from_body(body: bytes) -> Parameters:
    """The parameters in a request's body. Raises Refused."""
    content = _decoded(body, "The body")
    if isinstance(content, list):
        raise Refused("Batching is not supported: send one operation as a JSON object.")
    if not isinstance(content, dict):
        raise Refused("The body must be a JSON object with the key `query`.")
    return checked(content, body.decode())


def from_address(query_parameters: Mapping[str, str]) -> Parameters:
    """The parameters in a request's address, maps being JSON text. Raises Refused."""
    content: dict[str, Any] = dict(query_parameters)
    for name in ("variables", "extensions"):
        if name in content:
            content[name] = _decoded(content[name], f"`{name}`")
    return checked(content, query_parameters.get("variables", ""))


def checked(content: dict[str, Any], text: str) -> Parameters:
    """The parameters in an object that was read from that text. Raises Refused."""
    query = content.get("query")
    if not isinstance(query, str) or not query.strip():
        raise Refused("`query` must be a string with a GraphQL document.")
    if "\0" in query or _ESCAPED_NUL.search(query):
        raise Refused(_NUL)
    variables = _optional(content, "variables", dict, "an object")
    _optional(content, "extensions", dict, "an object")
    _check_value(variables, may_lose_digits=bool(_LONG_NUMBER.search(text)))
    return Parameters(query, _optional(content, "operationName", str, "a string"), variables)


def count(value: Any) -> int:
    """How many values there are in lists and objects, at any depth."""
    parts = value.values() if isinstance(value, dict) else value
    inner = [part for part in parts if isinstance(part, list | dict)]
    return len(parts) + sum(map(count, inner))


def _decoded(text: str | bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refused(f"{what} is not JSON: {error.args[0]}.") from error


def _optional(content: dict[str, Any], name: str, kind: type, called: str) -> Any:
    value = content.get(name)
    if value is not None and not isinstance(value, kind):
        raise Refused(f"`{name}` must be {called}.")
    return value


def _check_value(value: Any, may_lose_digits: bool, depth: int = 0) -> None:
    if isinstance(value, list | dict):
        if depth > MAX_DEPTH:
            raise Refused(f"The variables are nested more than {MAX_DEPTH} levels deep.")
        for part in value.values() if isinstance(value, dict) else value:
            _check_value(part, may_lose_digits, depth + 1)
    elif may_lose_digits and isinstance(value, float) and abs(value) >= _EXACT:
        raise Refused("The variables hold an integer of more than 64 bits: send it as a string.")
