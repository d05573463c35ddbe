"""A stream format takes one file: declaring it is enough for clients to get it."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gateway.transport import formats
from support.http_client import post

LINES = "application/jsonl"
MODULE = f'''
from gateway.transport.formats.stream_format import StreamFormat

FORMAT = StreamFormat(
    media_type="{LINES}",
    parameters="charset=utf-8",
    rank=9,
    opening=lambda: b"",
    message=lambda payload, _cursor: payload + b"\\n",
    silence=b"\\n",
    completed=b"",
    interrupted=b"",
)
'''


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A further module beside those of the package."""
    (tmp_path / "lines.py").write_text(MODULE)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    declared = formats.declared_formats()
    formats.STREAM_FORMATS[LINES] = declared[LINES]
    yield
    del formats.STREAM_FORMATS[LINES]


def test_formats_are_found_in_the_order_of_preference() -> None:
    assert list(formats.declared_formats()) == ["text/event-stream", "multipart/mixed"]


@pytest.mark.usefixtures("lines")
async def test_clients_get_a_declared_format(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ __typename }"}, LINES)

    assert response.headers["content-type"] == f"{LINES};charset=utf-8"
    assert response.text == '{"data":{"__typename":"Query"}}\n'


@pytest.mark.usefixtures("lines")
async def test_errors_name_a_declared_format(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ __typename }"}, "image/png")

    message = response.json()["errors"][0]["message"]
    assert message.endswith(f"or text/event-stream or multipart/mixed or {LINES}.")
