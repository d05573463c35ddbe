"""Parameters: the query, operation name and variables of a request, from its body, its query string
or a WebSocket message.

Values of any other shape are refused here, with a message that says what to send.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, TypeVar, cast

from db.core.error_codes import ErrorCode
from db.core.values import json
from db.core.values.json import JsonObject
from gateway.document_manifest import SHA256
from gateway.errors import HttpError
from graph.core.types.literals import NUL

FIXED = 10  # values of a request outside its variables
IDENTIFIER = re.compile(r"[A-Za-z0-9._~:-]{1,256}")  # of a document
MAX_DEPTH = 32  # of variables; the JSON encoder fails at 254


T = TypeVar("T")


class _Subscribe(TypedDict):
    """A message that `parse_message` has checked."""

    payload: JsonObject


@dataclass(frozen=True, slots=True)
class GraphQLParams:
    """One operation to run. `query` is empty if `document_id` alone names the document."""

    query: str
    operation_name: str | None
    variables: JsonObject | None
    document_id: str | None = None  # a SHA-256 without its prefix

    @property
    def registers(self) -> bool:
        """True if the client wants its document to be known by its hash."""
        return self.query != "" and self.document_id is not None


def from_body(body: bytes, max_values: int) -> GraphQLParams:
    """Read a request body of at most `max_values` values. Raises HttpError."""
    content = _decoded(body, "The body", max_values)
    if isinstance(content, list):
        raise HttpError("Batching is not supported: send one operation as a JSON object.")
    if not isinstance(content, dict):
        raise HttpError("The body must be a JSON object with the key `query`.")
    return _checked(content)


def from_message(text: str, max_values: int) -> GraphQLParams:
    """Read the payload of a WebSocket message of at most `max_values` values. Raises HttpError."""
    message = cast("_Subscribe", _decoded(text, "The message", max_values))
    return _checked(message["payload"])


def from_query_string(query_parameters: Mapping[str, str], max_values: int) -> GraphQLParams:
    """Read a query string, in which maps are JSON of at most `max_values` values. Raises HttpError.

    An empty `operationName` is none. Source: GraphQL over HTTP, section GET.
    """
    content: JsonObject = dict(query_parameters)
    if content.get("operationName") == "":
        del content["operationName"]
    for name in ("variables", "extensions"):
        if name in content:
            content[name] = _decoded(query_parameters[name], f"`{name}`", max_values)
    return _checked(content)


def _checked(content: JsonObject) -> GraphQLParams:
    variables = _optional(content, "variables", dict, "an object")
    document_id = _document_id(content)
    query = _query(content) if document_id is None or content.get("query") is not None else ""
    for value in (variables or {}).values():
        if isinstance(value, list | dict):
            _check_depth(value, 1)
    operation_name = _optional(content, "operationName", str, "a string")
    return GraphQLParams(query, operation_name, variables, document_id)


def _query(content: JsonObject) -> str:
    query = content.get("query")
    if not isinstance(query, str) or not query.strip():
        raise HttpError("`query` must be a string with a GraphQL document.")
    if "\0" in query:
        raise HttpError(NUL)
    return query


def _document_id(content: JsonObject) -> str | None:
    """The identifier in `documentId`, or the hash of Apollo's clients in `extensions`."""
    extensions = _optional(content, "extensions", dict, "an object") or {}
    if (id := content.get("documentId")) is not None:
        if content.get("query") is not None:
            raise HttpError("Send either `query` or `documentId`.")
        return _identifier(id, "documentId")
    if (persisted := extensions.get("persistedQuery")) is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise HttpError("`extensions.persistedQuery` must be an object with the version 1.")
    return _identifier(persisted.get("sha256Hash"), "extensions.persistedQuery.sha256Hash")


def _identifier(id: object, name: str) -> str:
    if not isinstance(id, str) or not IDENTIFIER.fullmatch(id):
        raise HttpError(
            f"`{name}` must be a string of at most 256 letters, digits and the characters -._~:"
        )
    return id.removeprefix(SHA256)


def _decoded(text: str | bytes, what: str, max_values: int) -> object:
    try:
        return json.received(text, max_values + FIXED)
    except json.TooManyValues as error:
        message = f"{what} holds more than {max_values:,} values; send fewer at once."
        raise HttpError(message, code=ErrorCode.QUERY_TOO_COMPLEX) from error
    except json.TooManyDigits as error:
        raise HttpError(f"{error} Send it as a string.") from error
    except json.JSONDecodeError as error:
        raise HttpError(f"{what} is not JSON: {error.args[0]}.") from error


def _optional(content: JsonObject, name: str, kind: type[T], called: str) -> T | None:
    value = content.get(name)
    if value is not None and not isinstance(value, kind):
        raise HttpError(f"`{name}` must be {called}.")
    return value


def _check_depth(value: object, depth: int = 0) -> None:
    if isinstance(value, list | dict):
        if depth > MAX_DEPTH:
            raise HttpError(f"The variables are nested more than {MAX_DEPTH} levels deep.")
        for part in value.values() if isinstance(value, dict) else value:
            _check_depth(part, depth + 1)
