"""Hostile documents are refused with short messages, to the client and in the log.

bench/hostile.py measures their work; tests measure no time.
"""

import logging
from collections.abc import AsyncIterator
from io import StringIO

import httpx2
import pytest

from db import Database
from gateway.app import create_app
from gateway.middleware import request_log
from gateway.settings import Settings
from support.hostile_documents import DOCUMENTS, Hostile

MOST_BYTES = 2_000
MOST_LOGGED = 1_000  # bytes


@pytest.fixture
def log() -> StringIO:
    """What the gateway logs."""
    return StringIO()


@pytest.fixture
async def stranger(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a credential, of a gateway in production that logs as it does there."""
    settings = Settings(
        _env_file=None,
        env="production",
        database_url=database_url,
        key_pepper="p" * 32,
        public_read=True,
    )
    handlers, level = logging.root.handlers, logging.root.level
    monkeypatch.setattr(logging.getLogger("httpx2"), "disabled", True)
    request_log.configure(settings)
    monkeypatch.setattr(logging.root.handlers[0], "stream", log)
    transport = httpx2.ASGITransport(create_app(settings, database))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api.example") as client:
        yield client
    logging.root.handlers = handlers
    logging.root.setLevel(level)


@pytest.mark.parametrize("hostile", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_hostile_document_is_refused_in_few_words(
    stranger: httpx2.AsyncClient, hostile: Hostile, log: StringIO
) -> None:
    asked = {"query": hostile.text, "variables": hostile.variables}
    answer = await stranger.post("/graphql", json=asked)

    codes = {error["extensions"]["code"] for error in answer.json().get("errors", [])}
    logged = log.getvalue().splitlines()
    assert codes == ({hostile.code} if hostile.code else set())
    assert len(answer.content) <= MOST_BYTES
    assert len(logged) == 1
    assert len(logged[0].encode()) <= MOST_LOGGED
    assert "Traceback" not in logged[0]


def test_there_are_enough_of_them() -> None:
    assert len(DOCUMENTS) >= 40
