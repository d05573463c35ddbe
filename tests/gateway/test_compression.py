"""Compression: of large responses, in the encoding that the client prefers, and of no stream."""

import gzip
import threading
from collections.abc import Callable

import brotli
import httpx2
import pytest
import zstandard

from db import Database
from gateway.middleware.compression import ENCODERS, LEAST, SHORT, compressed, encoding_of
from gateway.settings import Settings
from support.factories import make_dream, make_user
from support.gateways import gateway, make_key, production
from support.http_client import client_of
from support.raw_http import connected, request
from support.running_gateway import Served, serving
from support.stream_client import listening

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstandard.decompress,
}
DREAMS = {"query": "{ dreams(first: 20) { nodes { id title description originalPrompt } } }"}
FULL = {"query": "{ dreams(first: 20) { nodes { id title description originalPrompt tags } } }"}


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP ; Q=0.5", "gzip"),
        ("zstd;q=0.1, br;q=0.9, gzip;q=0.5", "br"),
        ("*", "zstd"),
        ("*, zstd;q=0", "br"),
        ("gzip;q=0.5, *;q=0", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0", None),
        ("gzip;q=0", None),
        ("gzip;q=none", None),
        ("gzip;q=nan", None),
        ("*;q=0", None),
        ("deflate, compress", None),
        ("identity", None),
        ("", None),
        (",,;", None),
        ("gzip, " + "x, " * 200, None),
    ],
)
def test_the_preferred_encoding(accept: str, encoding: str | None) -> None:
    assert encoding_of(accept) == encoding


@pytest.mark.parametrize(("size", "in_thread"), [(SHORT, False), (SHORT + 1, True)])
async def test_large_bodies_are_compressed_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, size: int, in_thread: bool
) -> None:
    threads: list[int] = []
    encode = ENCODERS["gzip"]

    def noted(body: bytes) -> bytes:
        threads.append(threading.get_ident())
        return encode(body)

    monkeypatch.setitem(ENCODERS, "gzip", noted)
    body = size * b"x"
    assert gzip.decompress(await compressed(body, "gzip")) == body
    assert (threads != [threading.get_ident()]) == in_thread


@pytest.fixture
def settings() -> Settings:
    return production(spread_seconds=0, drain_seconds=0)


@pytest.fixture
async def bearer(database: Database, settings: Settings) -> dict[str, str]:
    """The header of a caller who can read a page of 140,000 bytes."""
    user = await make_user(database, role="OPERATOR")
    for number in range(20):
        await make_dream(database, title=f"{number} dreams", description=7_000 * "a description ")
    return {"authorization": f"Bearer {(await make_key(database, settings, user_id=user.id)).text}"}


@pytest.mark.parametrize("short_path", ["on", "off"])
async def test_responses_are_compressed(
    database: Database, bearer: dict[str, str], short_path: str
) -> None:
    settings = production(spread_seconds=0, drain_seconds=0, short_path=short_path)
    async with serving(settings, database) as served, connected(served.port) as connection:

        async def response(**headers: str) -> tuple[dict[str, str], bytes]:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            await connection.send(request(DREAMS, bearer | named))
            found = await connection.response()
            assert found.status == 200
            assert ("vary", "Accept-Encoding") in found.headers
            return dict(found.headers), found.body

        for _ in range(2):  # the second time the caller and the operation are known
            headers, plain = await response()
            assert "content-encoding" not in headers
            for encoding, decode in DECODERS.items():
                headers, body = await response(accept_encoding=encoding)
                assert headers["content-encoding"] == encoding
                assert len(body) < len(plain) / 5
                assert decode(body) == plain
            for accept in ("identity", "gzip;q=0"):
                headers, body = await response(accept_encoding=accept)
                assert "content-encoding" not in headers
                assert body == plain


async def test_what_is_not_compressed(
    database: Database, settings: Settings, bearer: dict[str, str]
) -> None:
    headers = bearer | {"accept-encoding": "gzip"}
    async with client_of(gateway(settings, database)) as client:
        small = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        stream = {**headers, "accept": "text/event-stream"}
        whole = await client.post("/graphql", json=DREAMS, headers=stream)
        parts = {**headers, "accept": "multipart/mixed"}
        multipart = await client.post("/graphql", json=DREAMS, headers=parts)
    for response in (small, whole, multipart):
        assert response.status_code == 200
        assert "content-encoding" not in response.headers
    assert min(len(whole.content), len(multipart.content)) > LEAST


async def test_event_streams_are_not_compressed(served: Served, bearer: dict[str, str]) -> None:
    for accept in ("text/event-stream", "multipart/mixed"):
        headers = {**bearer, "accept-encoding": "zstd, br, gzip"}
        async with listening(served.address, accept=accept, **headers) as stream:
            assert stream.status == 200
            assert "content-encoding" not in stream.head
            assert await stream.chunk()


async def test_a_response_to_head_has_the_headers_of_get(
    database: Database, settings: Settings, bearer: dict[str, str]
) -> None:
    headers = bearer | {"accept": "application/json", "accept-encoding": "br"}
    async with client_of(gateway(settings, database)) as client:
        got = await client.get("/graphql", params=DREAMS, headers=headers)
        head = await client.head("/graphql", params=DREAMS, headers=headers)
    for response in (got, head):
        assert (response.status_code, response.headers["content-encoding"]) == (200, "br")
    assert got.headers["content-length"] == head.headers["content-length"]


async def test_other_texts_are_compressed(
    database: Database, settings: Settings, bearer: dict[str, str]
) -> None:
    headers = bearer | {"accept-encoding": "gzip"}
    async with client_of(gateway(settings, database)) as client:
        for path in ("/schema.graphql",):
            response = await client.get(path, headers=headers)
            assert response.headers["content-encoding"] == "gzip"
            assert int(response.headers["content-length"]) < len(response.content) / 2


async def test_compression_can_be_switched_off(database: Database, bearer: dict[str, str]) -> None:
    async with client_of(gateway(production(compression="off"), database)) as client:
        response = await client.post("/graphql", json=DREAMS, headers=bearer)
    assert "content-encoding" not in response.headers
    assert "Accept-Encoding" not in response.headers["vary"]


async def test_compressed_responses_hold_memory_until_they_are_read(
    database: Database, bearer: dict[str, str], served: Served
) -> None:
    rooms = served.server.config.app.state.rooms  # type: ignore[union-attr]  # a Starlette
    free = rooms.known.free
    async with httpx2.AsyncClient(timeout=20) as client:
        for content in (DREAMS, FULL, DREAMS):
            response = await client.post(
                f"{served.address}/graphql",
                json=content,
                headers=bearer | {"accept-encoding": "br"},
            )
            assert response.headers["content-encoding"] == "br"
    assert rooms.known.free == free
