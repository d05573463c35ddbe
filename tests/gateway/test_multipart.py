"""Multipart: subscriptions as Apollo's clients read them, byte by byte."""

import re
from typing import Any

import httpx2
import orjson

from support.stream_client import listening, report

MULTIPART = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"


async def test_a_query_is_one_part(client: httpx2.AsyncClient) -> None:
    headers = {"accept": MULTIPART}
    response = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == MULTIPART
    assert response.content == (
        b"\r\n--graphql\r\ncontent-type: application/json\r\n\r\n"
        b'{"payload":{"data":{"__typename":"Query"}}}\r\n--graphql--\r\n'
    )


async def test_a_subscription_byte_by_byte(address: str) -> None:
    async with listening(address, accept=MULTIPART) as stream:
        assert stream.status == 200
        assert stream.head["content-type"] == MULTIPART
        assert await stream.chunk() == b"\r\n--graphql"
        assert received(await stream.chunk()) == {"kind": "SNAPSHOT", "reports": []}
        await report(address, "a1", "RUNNING")
        reports = [{"agentKey": "a1", "status": "RUNNING"}]
        assert received(await stream.chunk()) == {"kind": "UPDATE", "reports": reports}


def received(chunk: bytes) -> dict[str, Any]:
    """What one part tells, which must have exactly this form, without its cursor."""
    form = rb"\r\ncontent-type: application/json\r\n\r\n\{\"payload\":(.+)\}\r\n--graphql"
    found = re.fullmatch(form, chunk)
    assert found, chunk
    history = orjson.loads(found[1])["data"]["agentHistory"]
    assert history.pop("cursor")
    return history
