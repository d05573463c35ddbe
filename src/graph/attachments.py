"""Attachments: files of dreams and tests, uploaded to and read from signed addresses."""

from datetime import datetime

import strawberry
from strawberry import UNSET

import db
from db import WriteSession, attachments
from db.ai_tests import AiTest as Test
from db.attachments import Attachment as Row
from db.core.errors import Forbidden, Invalid, NotFound, Unavailable
from db.users import Role
from graph.ai_tests import AiTest
from graph.ai_tests.queue import AiTestById
from graph.core.context import Info
from graph.core.media import File, MediaStore
from graph.core.permission import PUBLIC, scope
from graph.core.types.field import checked, field, related, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    audit_context,
    create_idempotently,
    get_for_update,
    id_of_table,
    idempotency_key,
    input_type,
    mutation,
)
from graph.core.types.node import IdOf, Node, key_of, load, node
from graph.core.types.scalars import BigInt
from graph.core.types.unset import or_none
from graph.dreams import Dream, DreamById
from graph.dreams.rights import may_change, may_test
from graph.users import User, UserById

WRITE = scope("dreams:write", "tests:write", role=Role.MEMBER)
ATTACHMENT = key_of(Row)


def media(info: Info) -> MediaStore:
    """Raises Unavailable."""
    if info.context.media is None:
        raise Unavailable("This gateway stores no attachments.")
    return info.context.media


def _file(row: Row) -> File:
    return File(row.id, row.content_type, row.size, row.sha256)


def _url(root: Row, info: Info) -> str | None:
    if root.stored_at is None or info.context.media is None:
        return None
    return info.context.media.download_url(root.id, info.context.db.clock.now())


# Types


@node(Row, access=PUBLIC)
class Attachment(Node):
    """A file of a dream, or of one of its tests. Who sees the dream, or the test,
    sees its attachments."""

    name: str = field("Name of the file.")
    content_type: str = field("Media type of the file.")
    size: BigInt = field("Size of the file in bytes.")
    sha256: str = field("SHA-256 checksum of the file, in hexadecimal digits.")
    stored_at: datetime | None = field("When the file was stored. Null until then.")
    created_at: datetime = field("When the attachment was created.")
    url: str | None = field(
        "Where the file can be read for five minutes, without a credential, relative to the URL of "
        "the API. Null until the file is stored.",
        resolver=_url,
        reads=("id", "stored_at"),
        cost=0,
    )
    dream: Dream = related(DreamById, "dream_id", description="The dream it belongs to.")
    ai_test: AiTest | None = related(
        AiTestById,
        "ai_test_id",
        description="The test it belongs to. Null if it belongs to the dream as a whole.",
    )
    user: User | None = related(UserById, "user_id", description="The user who attached it.")


@value
class Header:
    """A header of an HTTP request."""

    name: str = field("Name of the header.")
    value: str = field("Value of the header.")


@value
class AttachmentUpload:
    """The request that uploads the file of an attachment. Its body is the file."""

    url: str = field("Where to send the file, relative to the URL of the API.")
    method: str = field("Method of the request, `POST` or `PUT`.")
    headers: list[Header] = field("Headers of the request.", cost=0)
    expires_at: datetime = field("Until when the request is accepted.")


@value
class AttachmentCreated:
    """An attachment whose file is to be uploaded."""

    attachment: Attachment | None = field("The attachment.", cost=0, default=None)
    upload: AttachmentUpload | None = field(
        "How to upload the file. Null if it is stored already.", cost=0, default=None
    )


@value
class AttachmentDeleted:
    """An attachment was deleted."""

    deleted_attachment_id: strawberry.ID | None = field(
        "ID of the deleted attachment.", default=None
    )


# Inputs


@filters(attachments.LISTING)
class AttachmentFilter:
    """Filter conditions on attachments. All given conditions must hold."""


@orders(attachments.LISTING)
class AttachmentOrder:
    """Sort order for attachments."""


@checked(Row)
@input_type
class CreateAttachmentInput:
    """The input fields to attach a file to a dream or to a test."""

    dream_id: strawberry.ID | None = field(
        "ID of the dream. Give this or `aiTestId`.", check=key_of(db.dreams.Dream), default=UNSET
    )
    ai_test_id: strawberry.ID | None = field(
        "ID of the test, in place of the dream.", check=key_of(Test), default=UNSET
    )
    name: str = field("Name of the file.")
    content_type: str = field("Media type of the file, one of those that the gateway accepts.")
    size: BigInt = field("Size of the file in bytes.")
    sha256: str = field("SHA-256 checksum of the file.")
    idempotency_key: str | None = idempotency_key()


@input_type
class CompleteAttachmentInput:
    """The input fields to complete an attachment."""

    id: strawberry.ID = field("ID of the attachment.", check=ATTACHMENT)


@input_type
class DeleteAttachmentInput:
    """The input fields to delete an attachment."""

    id: strawberry.ID = field("ID of the attachment.", check=ATTACHMENT)


# Operations


def _check_announced(store: MediaStore, input: CreateAttachmentInput) -> None:
    """Raises Invalid."""
    if input.content_type not in store.content_types:
        accepted = ", ".join(sorted(store.content_types))
        raise Invalid(f"Files of this type are not accepted; these are: {accepted}.", "contentType")
    if input.size > store.max_bytes:
        raise Invalid(f"A file has at most {store.max_bytes:,} bytes.", "size")


async def _target(
    info: Info, session: WriteSession, input: CreateAttachmentInput
) -> tuple[db.dreams.Dream, Test | None]:
    """The dream, locked, and the test. Raises Invalid, NotFound, Forbidden."""
    dream_id, test_id = or_none(input.dream_id), or_none(input.ai_test_id)
    if (dream_id is None) == (test_id is None):
        raise Invalid("Give either dreamId or aiTestId.", "dreamId")
    if test_id is None:
        key, test = id_of_table(str(dream_id), db.dreams.Dream), None
    else:
        test = await get_for_update(session, Test, id_of_table(test_id, Test))
        key = test.dream_id
    dream = await get_for_update(session, db.dreams.Dream, key)
    _check_rights(info, dream, of_test=test is not None)
    return dream, test


def _check_rights(info: Info, dream: db.dreams.Dream, *, of_test: bool) -> None:
    """Raises Forbidden."""
    may = may_test if of_test else may_change
    if not may(info.context.principal, dream.user_id):
        raise Forbidden("Only the owner of a dream can change its attachments.")


async def _locked(info: Info, session: WriteSession, id: str) -> Row:
    """Raises Invalid, NotFound, Forbidden."""
    row = await get_for_update(session, Row, id_of_table(id, Row))
    if (dream := await attachments.dream_of(session, row)) is None:
        raise NotFound
    _check_rights(info, dream, of_test=row.ai_test_id is not None)
    return row


def _created(row: Row, store: MediaStore, now: datetime) -> AttachmentCreated:
    return AttachmentCreated(
        attachment=row,  # type: ignore[arg-type]  # a record is the source of its type
        upload=None if row.stored_at else _upload(row, store, now),
    )


def _upload(row: Row, store: MediaStore, now: datetime) -> AttachmentUpload:
    upload = store.upload(_file(row), now)
    headers = [Header(name=name, value=value) for name, value in upload.headers.items()]
    return AttachmentUpload(
        url=upload.url, method=upload.method, headers=headers, expires_at=upload.expires_at
    )


@strawberry.type
class Queries:
    @field("The attachment with this ID, or null if it does not exist.", PUBLIC)
    async def attachment(self, info: Info, id: IdOf) -> Attachment | None:
        return await load(info, id, Row)


@strawberry.type
class Mutations:
    @mutation(
        "Announce a file of a dream or of a test. Upload it as `upload` says, and then complete "
        "the attachment; after a day without that, it is deleted.",
        WRITE,
        AttachmentCreated,
    )
    async def create_attachment(
        self, info: Info, input: Input[CreateAttachmentInput]
    ) -> AttachmentCreated:
        store = media(info)
        _check_announced(store, input)

        async def create(session: WriteSession) -> Row:
            dream, test = await _target(info, session, input)
            return await attachments.create(
                session,
                dream,
                store.max_per_dream,
                ai_test_id=test.id if test else None,
                user_id=info.context.principal.user_id,
                name=input.name,
                content_type=input.content_type,
                size=input.size,
                sha256=input.sha256,
            )

        row = await create_idempotently(info, Row, input, create)
        return _created(row, store, await info.context.db.now())

    @mutation(
        "Complete an attachment after its file was uploaded. The file must have the announced "
        "size, type and checksum; if not, it is deleted and can be uploaded again.",
        WRITE,
        Attachment,
    )
    async def complete_attachment(self, info: Info, input: Input[CompleteAttachmentInput]) -> Row:
        store = media(info)
        async with info.context.db.write(audit_context(info)) as session:
            row = await _locked(info, session, input.id)
            if row.stored_at is None and (wrong := await store.accept(_file(row))):
                raise Invalid(wrong, "id")
            return await attachments.complete(session, row)

    @mutation("Delete an attachment and its file.", WRITE, AttachmentDeleted)
    async def delete_attachment(
        self, info: Info, input: Input[DeleteAttachmentInput]
    ) -> AttachmentDeleted:
        async with info.context.db.write(audit_context(info)) as session:
            await db.audit.remove(session, Row, await _locked(info, session, input.id))
        return AttachmentDeleted(deleted_attachment_id=input.id)
