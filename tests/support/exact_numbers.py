"""Exact numbers: requests and responses compared digit by digit."""

import json
from typing import Any

from support.graphql_client import Endpoint

SENT = (
    "[0, 1, 1.0, 1.00, -0.10, 100.0, 1e2, -0, 1e-7, 2.675, 3.14159265358979323846, "
    "9007199254740993, 18446744073709551616, -9223372036854775809, "
    f'1{"0" * 30}, true, false, null, "1.50"]'
)
KEPT = (
    "[0, 1, 1.0, 1.00, -0.10, 100.0, 100, 0, 0.0000001, 2.675, 3.14159265358979323846, "
    "9007199254740993, 18446744073709551616, -9223372036854775809, "
    f'1{"0" * 30}, true, false, null, "1.50"]'
)


class Digits(str):
    """A number as it was written; it equals no text."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digits) and str.__eq__(self, other)

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        return f"Digits({self})"


def read(text: str | bytes) -> Any:
    """The value of a text with the digits of its numbers."""
    return json.loads(text, parse_float=Digits, parse_int=Digits)


async def ask(endpoint: Endpoint, query: str, variables: str = "{}") -> Any:
    """The response to an operation with variables given as text."""
    body = f'{{"query": {json.dumps(query)}, "variables": {variables}}}'
    headers = {"content-type": "application/json"}
    response = await endpoint.client.post("/graphql", content=body.encode(), headers=headers)
    assert response.status_code < 500, response.text
    return read(response.content)


async def data(endpoint: Endpoint, query: str, variables: str = "{}") -> Any:
    """The data of an answer without errors."""
    answer = await ask(endpoint, query, variables)
    assert "errors" not in answer, answer
    return answer["data"]
