"""Messages: the messages of clients in graphql-transport-ws, with every field checked.

Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from dataclasses import dataclass
from typing import TypeVar

from db.core.values import json
from db.core.values.json import JsonObject
from db.core.values.validation import is_deep
from gateway.transport.websocket.close_codes import CloseCode, ConnectionClosed

SUBPROTOCOL = "graphql-transport-ws"
MAX_ID = 256  # characters; an id is sent along with every message
ACKNOWLEDGED = b'{"type":"connection_ack"}'

T = TypeVar("T")
Payload = JsonObject | None


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The first message, which may hold a credential."""

    payload: Payload

    @property
    def authorization(self) -> str | None:
        """The credential in the payload or in its `headers`; null counts as absent. Raises
        ConnectionClosed."""
        parameters = self.payload or {}
        headers = _optional(parameters, "headers", dict, "an object") or {}
        for name, value in (*parameters.items(), *headers.items()):
            if name.lower() == "authorization" and value is not None:
                return str(_of_kind(value, f"payload.{name}", str, "a string"))
        return None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Starts an operation; `text` is the whole message with its payload."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Complete:
    """Ends an operation."""

    id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Requests a pong with the same payload."""

    payload: Payload


@dataclass(frozen=True, slots=True)
class Pong:
    """The response to a ping, or a keep-alive."""


Message = ConnectionInit | Subscribe | Complete | Ping | Pong


def parse_message(text: str) -> Message:
    """Raises ConnectionClosed."""
    content = _decoded(text)
    match content.get("type"):
        case "connection_init":
            return ConnectionInit(_payload(content))
        case "subscribe":
            _check_payload(content)
            return Subscribe(_id(content), text)
        case "complete":
            return Complete(_id(content))
        case "ping":
            return Ping(_payload(content))
        case "pong":
            _payload(content)
            return Pong()
    raise _malformed("`type` is not one that clients send")


def pong(payload: Payload) -> bytes:
    return json.dumps({"type": "pong"} | ({} if payload is None else {"payload": payload}))


def _decoded(text: str) -> JsonObject:
    try:
        content = json.skimmed(text)
    except json.JSONDecodeError as error:
        raise _malformed("not JSON") from error
    return dict(_of_kind(content, "the message", dict, "an object"))


def _payload(content: JsonObject) -> Payload:
    payload: Payload = _optional(content, "payload", dict, "an object")
    if is_deep(payload):
        raise _malformed("payload is nested too deeply")
    return payload


def _id(content: JsonObject) -> str:
    given = content.get("id")
    if not isinstance(given, str) or not 0 < len(given) <= MAX_ID:
        raise _malformed(f"`id` must be a string of 1 to {MAX_ID} characters")
    return given


def _check_payload(content: JsonObject) -> None:
    payload = _of_kind(content.get("payload"), "payload", dict, "an object")
    if payload.get("query") is not None or not _names_document(payload):
        _of_kind(payload.get("query"), "payload.query", str, "a string")
    _optional(payload, "operationName", str, "a string")
    _optional(payload, "variables", dict, "an object")
    _optional(payload, "extensions", dict, "an object")


def _names_document(payload: JsonObject) -> bool:
    extensions = _optional(payload, "extensions", dict, "an object") or {}
    return payload.get("documentId") is not None or extensions.get("persistedQuery") is not None


def _optional(content: JsonObject, name: str, kind: type[T], called: str) -> T | None:
    value = content.get(name)
    return None if value is None else _of_kind(value, name, kind, called)


def _of_kind(value: object, name: str, kind: type[T], called: str) -> T:
    if not isinstance(value, kind):
        raise _malformed(f"{name} must be {called}")
    return value


def _malformed(what: str) -> ConnectionClosed:
    return ConnectionClosed(CloseCode.BAD_REQUEST, f"Invalid message: {what}")
