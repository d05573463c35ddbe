"""Parameters: the query, operation name and variables of a request, from its body, its query string
or a WebSocket message.

Values of any other shape are refused here, with a message that says what to send.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, TypeVar, cast

from db.core.error_codes import ErrorCode
from db.core.values import json
from db.core.values.json import JsonObject
from gateway.errors import HttpError
from graph.core.types.literals import NUL

FIXED = 10  # values of a request outside its variables
MAX_DEPTH = 32  # of variables; the JSON encoder fails at 254


T = TypeVar("T")


class _Subscribe(TypedDict):
    """A message that `parse_message` has checked."""

    payload: JsonObject


@dataclass(frozen=True, slots=True)
class GraphQLParams:
    """One operation to run."""

    query: str
    operation_name: str | None
    variables: JsonObject | None


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
    query = content.get("query")
    if not isinstance(query, str) or not query.strip():
        raise HttpError("`query` must be a string with a GraphQL document.")
    if "\0" in query:
        raise HttpError(NUL)
    variables = _optional(content, "variables", dict, "an object")
    _optional(content, "extensions", dict, "an object")
    for value in (variables or {}).values():
        if isinstance(value, list | dict):
            _check_depth(value, 1)
    return GraphQLParams(query, _optional(content, "operationName", str, "a string"), variables)


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
