"""Attachments and exports in a bucket of a server that is compatible with S3."""

import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from obstore.store import S3Store

from db import Database, attachments
from db.core.errors import Unavailable
from gateway.cli.export import PART_BYTES, upload
from gateway.media.importing import import_folder
from gateway.media.store import NO_FILE, WRONG, Media
from gateway.settings import Settings
from graph.core.types.node import global_id
from support.attachments import PNG, Client, messages
from support.commands import Dreamnet
from support.factories import make_metric
from support.gateways import production
from support.object_store import BUCKET, content, keys, object_store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Store]:
    with object_store(tmp_path_factory.mktemp("buckets")) as store:
        yield store


@pytest.fixture
def store(server: S3Store) -> S3Store:
    """An empty bucket."""
    server.delete(keys(server))
    return server


@pytest.fixture
def settings(store: S3Store) -> Settings:
    return production(media_url=f"s3://{BUCKET}/folder")


async def put(upload: Any, content: bytes) -> None:
    """Upload into the bucket, at the address that it signed."""
    headers = {each["name"]: each["value"] for each in upload["headers"]}
    async with httpx2.AsyncClient() as http:
        sent = await http.request(upload["method"], upload["url"], content=content, headers=headers)
    assert sent.status_code == 200, sent.text


async def test_a_file_is_uploaded_into_the_bucket_and_read_through_the_gateway(
    mine: Client, dream: Any, store: S3Store, database: Database, settings: Settings
) -> None:
    made = await mine.create(dreamId=global_id(dream))
    assert made["upload"]["method"] == "PUT"
    assert "X-Amz-Signature=" in made["upload"]["url"]
    await put(made["upload"], PNG)
    completed = await mine.complete(made["attachment"]["id"])
    assert completed["errors"] == []
    [key] = keys(store)
    assert key.startswith("folder/attachments/")
    url = f"/{completed['attachment']['url']}"
    assert (await mine.http.get(url)).content == PNG
    part = await mine.http.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, PNG[10:20])
    await put(made["upload"], b"other")  # the address is still valid, and changes nothing
    assert (await mine.http.get(url)).content == PNG
    media = Media(settings)
    [id] = [row.id for row in await stored_rows(database)]
    await media.delete([id])
    assert keys(store) == []
    assert (await mine.http.get(url)).status_code == 404


async def stored_rows(database: Database) -> Any:
    async with database.unrestricted().read() as session:
        return await session.records(attachments.Attachment, attachments.Attachment.select())


@pytest.mark.parametrize(
    ("sent", "announced", "wrong"),
    [
        (PNG[:-1], PNG, "size"),
        (PNG[:-1] + b"x", PNG, "checksum"),
        (b"<html>" + PNG[6:], b"<html>" + PNG[6:], "type"),
    ],
)
async def test_an_upload_that_differs_is_deleted(
    mine: Client, dream: Any, store: S3Store, sent: bytes, announced: bytes, wrong: str
) -> None:
    made = await mine.create(announced, dreamId=global_id(dream))
    id = made["attachment"]["id"]
    assert messages(await mine.complete(id)) == [NO_FILE]
    await put(made["upload"], sent)
    assert messages(await mine.complete(id)) == [WRONG.format(wrong)]
    assert keys(store) == []


async def test_a_folder_is_imported_into_the_bucket(
    dream: Any, database: Database, store: S3Store, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / dream.slug).mkdir()
    (tmp_path / dream.slug / "a.png").write_bytes(PNG)
    for stored, unchanged in ((1, 0), (0, 1)):
        done = await import_folder(database, Media(settings), tmp_path)
        assert (done.stored, done.unchanged, done.refused) == (stored, unchanged, [])
    [key] = keys(store)
    assert content(store, key) == PNG


@pytest.fixture
async def metrics(database: Database) -> list[Any]:
    return [await make_metric(database, value=value) for value in range(5)]


@pytest.fixture
def url(database_url: str, metrics: list[Any]) -> str:
    return database_url


async def test_objects_are_stored_once_they_are_whole(store: S3Store) -> None:
    async def parts(count: int) -> AsyncGenerator[bytes, None]:
        for _ in range(count):
            yield bytes(PART_BYTES // 4)
        if count % 2:
            raise Unavailable

    await upload(BUCKET, "whole", parts(10))
    for count in (1, 11):
        with pytest.raises((Unavailable, OSError)):
            await upload(BUCKET, "broken", parts(count))
    assert keys(store) == ["whole"]
    assert content(store, "whole") == bytes(PART_BYTES * 10 // 4)


def test_an_export_to_a_bucket_is_continued(
    url: str, dreamnet: Dreamnet, store: S3Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def export(name: str, *options: str) -> list[bytes]:
        to = f"s3://{BUCKET}/exports/{name}"
        assert dreamnet("export", "metrics", "--to", to, *options, DATABASE_URL=url) == 0
        return content(store, f"exports/{name}").splitlines()

    whole = export("whole")
    id = json.loads(whole[1])["id"]
    assert len(whole) == 5
    assert export("rest", "--after", id) == whole[2:]
    assert dreamnet("export", "metrics", "--to", "s3://none/x", DATABASE_URL=url) == 1
    assert "NoSuchBucket" in capsys.readouterr().err
    assert dreamnet("export", "metrics", "--to", f"s3://{BUCKET}", DATABASE_URL=url) == 2
    assert "s3://BUCKET/KEY" in capsys.readouterr().err
