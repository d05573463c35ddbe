"""Attachments, through the API of a gateway in production, with real keys and real files."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from db import Database, attachments
from db.attachments import Attachment, DeletedAttachment
from gateway.media.store import NO_FILE, WRONG, Media
from gateway.settings import Settings
from graph.core.types.node import global_id
from support.attachments import PNG, Client, announcement, files, messages
from support.factories import make_ai_test, make_dream
from support.mutations import stored

DELETE = "mutation ($id: ID!) { deleteDream(input: {id: $id}) { errors { code } } }"


async def test_a_file_is_uploaded_and_read(
    mine: Client, dream: Any, owner: Any, settings: Settings, database: Database
) -> None:
    made = await mine.create(dreamId=global_id(dream), name="schöne Skizze.png")
    assert (made["errors"], made["attachment"]["url"], made["attachment"]["storedAt"]) == (
        *([], None),
        None,
    )
    assert (await mine.send(made["upload"], PNG)).status_code == 201
    completed = await mine.complete(made["attachment"]["id"])
    assert completed["errors"] == []
    file = await mine.http.get(f"/{completed['attachment']['url']}")
    assert (file.status_code, file.content) == (200, PNG)
    named = "attachment; filename*=UTF-8''sch%C3%B6ne%20Skizze.png"
    assert file.headers["content-disposition"] == named
    assert file.headers["content-type"] == "image/png"
    assert file.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert file.headers["x-content-type-options"] == "nosniff"
    [row] = await stored(database, Attachment)
    assert files(settings) == [f"attachments/{row.id}"]
    shown = await mine.ask(
        "query ($id: ID!) { dream(id: $id) { attachments { nodes {"
        " name contentType size sha256 aiTest { id } user { id } } } } }",
        id=global_id(dream),
    )
    assert shown["dream"]["attachments"]["nodes"] == [
        {
            "name": "schöne Skizze.png",
            "contentType": "image/png",
            **announcement(PNG),
            "aiTest": None,
            "user": {"id": global_id(owner)},
        }
    ]


RANGES = [
    ("bytes=0-0", slice(0, 1)),
    ("bytes=10-19", slice(10, 20)),
    ("bytes=100-", slice(100, None)),
    ("bytes=-7", slice(-7, None)),
    ("Bytes=5-999999999", slice(5, None)),
    ("bytes=-999999999", slice(0, None)),
]
OTHERS = ["bytes=1-0", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b", f"bytes={9**20}-"]


async def test_parts_of_a_file_are_read(mine: Client, dream: Any) -> None:
    attached = await mine.attach(dreamId=global_id(dream))

    async def get(**headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await mine.http.get(f"/{attached['url']}", headers=named)

    whole = await get()
    etag = whole.headers["etag"]
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    for header, part in RANGES:
        seen, (start, end, _) = await get(range=header), part.indices(len(PNG))
        assert (seen.status_code, seen.content) == (206, PNG[part]), header
        assert seen.headers["content-range"] == f"bytes {start}-{end - 1}/{len(PNG)}"
        assert seen.headers["content-length"] == str(end - start)
    for header in OTHERS:
        seen = await get(range=header)
        assert (seen.status_code, seen.content) == (200, PNG), header
    for header in (f"bytes={len(PNG)}-", "bytes=-0"):
        seen = await get(range=header)
        assert seen.status_code == 416
        assert seen.headers["content-range"] == f"bytes */{len(PNG)}"
    for condition, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        assert (await get(range="bytes=0-0", if_range=condition)).status_code == status
    head = await mine.http.head(f"/{attached['url']}", headers={"range": "bytes=0-0"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(PNG)))


async def test_a_test_has_attachments(mine: Client, dream: Any, database: Database) -> None:
    test = await make_ai_test(database, dream_id=dream.id)
    attached = await mine.attach(aiTestId=global_id(test))
    shown = await mine.ask(
        "query ($id: ID!) { aiTest(id: $id) { attachments { nodes { id dream { id } } } } }",
        id=global_id(test),
    )
    nodes = shown["aiTest"]["attachments"]["nodes"]
    assert nodes == [{"id": attached["id"], "dream": {"id": global_id(dream)}}]


async def test_limits_are_checked_before_anything_is_stored(
    mine: Client, dream: Any, database: Database
) -> None:
    id = global_id(dream)
    html = await mine.create(dreamId=id, contentType="text/html")
    assert messages(html)[0].startswith("Files of this type are not accepted; these are: ")
    large = await mine.create(dreamId=id, size="200001")
    assert messages(large) == ["A file has at most 200,000 bytes."]
    for name in ("../etc/passwd", "a\\b", "a\nb"):
        assert messages(await mine.create(dreamId=id, name=name)) == [
            "This must be the name of a file, without a folder."
        ]
    both = await mine.create(dreamId=id, aiTestId=global_id(await make_ai_test(database)))
    assert messages(both) == ["Give either dreamId or aiTestId."]
    assert await stored(database, Attachment) == []
    for _ in range(3):
        assert (await mine.create(dreamId=id))["errors"] == []
    assert messages(await mine.create(dreamId=id)) == [
        "A dream has at most 3 attachments: delete one first."
    ]


@pytest.mark.parametrize(
    ("sent", "announced", "wrong"),
    [
        (PNG[:-1] + b"x", PNG, "checksum"),
        (b"<html>" + PNG[6:], b"<html>" + PNG[6:], "type"),
    ],
)
async def test_a_file_is_what_was_announced(
    mine: Client, dream: Any, settings: Settings, sent: bytes, announced: bytes, wrong: str
) -> None:
    made = await mine.create(announced, dreamId=global_id(dream))
    id = made["attachment"]["id"]
    assert messages(await mine.complete(id)) == [NO_FILE]
    assert (await mine.send(made["upload"], sent)).status_code == 201
    assert messages(await mine.complete(id)) == [WRONG.format(wrong)]
    assert files(settings) == []
    assert messages(await mine.complete(id)) == [NO_FILE]


async def test_an_upload_is_bound_to_its_announcement(
    mine: Client, dream: Any, settings: Settings
) -> None:
    made = await mine.create(dreamId=global_id(dream))
    upload = made["upload"]
    for content in (PNG + b"x", PNG[:-1], b""):
        assert (await mine.send(upload, content)).status_code == 400
    forged = [
        upload | {"url": upload["url"][:-1] + ("0" if upload["url"][-1] != "0" else "1")},
        upload | {"url": upload["url"].replace("expires=", "expires=9")},
        upload | {"url": upload["url"].partition("?")[0]},
        upload | {"headers": [{"name": "content-type", "value": "text/html"}]},
    ]
    assert [(await mine.send(each, PNG)).status_code for each in forged] == [403, 403, 403, 400]
    read = await mine.http.get(f"/{upload['url']}")  # an address to upload to is not one to read
    assert read.status_code == 403
    assert files(settings) == []
    assert (await mine.send(upload, PNG)).status_code == 201
    completed = await mine.complete(made["attachment"]["id"])
    assert completed["errors"] == []
    assert (await mine.send(upload, PNG)).status_code == 409  # what is stored never changes


async def test_a_file_is_deleted_with_its_dream(
    mine: Client, dream: Any, database: Database, settings: Settings
) -> None:
    kept = await make_dream(database, user_id=dream.user_id)
    other = await mine.attach(dreamId=global_id(kept))
    await mine.attach(dreamId=global_id(dream))
    unused = await mine.create(dreamId=global_id(kept))
    assert (await mine.send(unused["upload"], PNG)).status_code == 201
    assert await mine.ask(DELETE, id=global_id(dream)) == {"deleteDream": {"errors": []}}
    assert len(await stored(database, DeletedAttachment)) == 1
    media = Media(settings)
    assert await attachments.delete_files(database, media.delete) == 0  # uploads may be under way
    hours = timedelta(hours=25)
    async with database.write() as session:
        await session.execute(
            update(DeletedAttachment).values(deleted_at=DeletedAttachment.deleted_at - hours)
        )
        pending = update(Attachment).where(Attachment.stored_at.is_(None))
        await session.execute(pending.values(created_at=Attachment.created_at - hours))
    assert await attachments.delete_files(database, media.delete) == 1
    [left] = await stored(database, Attachment)
    assert global_id(left) == other["id"]
    async with database.write() as session:
        await session.execute(
            update(DeletedAttachment).values(deleted_at=DeletedAttachment.deleted_at - hours)
        )
    assert await attachments.delete_files(database, media.delete) == 1
    assert files(settings) == [f"attachments/{left.id}"]
    assert await stored(database, DeletedAttachment) == []
