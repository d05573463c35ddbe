"""Multipart: subscriptions as Apollo's clients read them, byte by byte."""

import httpx2

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
