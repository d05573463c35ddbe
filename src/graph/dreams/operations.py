"""Operations: queries of dreams, and mutations that write them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

import db
from db import WriteSession
from db.core import errors
from db.core.values import validation
from graph.core.context import Info, as_source
from graph.core.permission import PUBLIC
from graph.core.types.connection import listed
from graph.core.types.declared import NodeField
from graph.core.types.field import argument, field, value
from graph.core.types.menu import menu_of
from graph.core.types.mutation import (
    Input,
    create_idempotently,
    get_for_update,
    id_of_table,
    locked_row,
    mutation,
    provided_fields,
)
from graph.core.types.node import MaybeId, load_by
from graph.core.types.unset import or_none
from graph.dreams.inputs import CreateDreamInput, DreamInput, EditDreamInput, RemixDreamInput
from graph.dreams.rights import WRITE, may_change
from graph.dreams.types import Dream, DreamBySlug, DreamConnection, DreamStatus

DRAFT, ACTIVE, ACHIEVED, ARCHIVED = DreamStatus
Slug = Annotated[str | None, argument("Slug of the dream.", validation.string(200, 0))]

# Results


@value
class DreamDeleted:
    """A dream was deleted."""

    deleted_dream_id: strawberry.ID | None = field("ID of the deleted dream.", default=None)
    deleted_test_count: int | None = field(
        "Number of its tests, which were deleted too.", default=None
    )


# Operations


@strawberry.type
class Queries:
    dreams: DreamConnection = listed(db.dreams.LISTING, "Dreams, newest first.", PUBLIC)

    dream_tags: list[str] = menu_of(
        db.dreams.tags,
        f"Tags of the newest {db.dreams.TAGGED:,} dreams that the viewer may see.",
        PUBLIC,
    )

    @field(
        "The dream with this ID, or with this slug; null if it does not exist.",
        PUBLIC,
        shows=NodeField(db.dreams.Dream),
        reveals={"slug": db.dreams.Dream.slug},
    )
    async def dream(self, info: Info, id: MaybeId = None, slug: Slug = None) -> Dream | None:
        return as_source(await load_by(info, db.dreams.Dream, id, DreamBySlug, slug=slug))


def check_may_change(info: Info, dream: db.dreams.Dream) -> None:
    """Raises Forbidden unless the caller owns the dream or is an administrator."""
    if not may_change(info.context.principal, dream.user_id):
        raise errors.Forbidden("Only the owner of a dream can change it.")


Change = Callable[[WriteSession, db.dreams.Dream], Awaitable[db.dreams.Dream]]


def changing(description: str, change: Change) -> Any:  # as `field`
    async def resolve(info: Info, input: Input[DreamInput]) -> db.dreams.Dream:
        async with locked_row(info, db.dreams.Dream, input.id) as (session, dream):
            check_may_change(info, dream)
            return await change(session, dream)

    return mutation(description, WRITE, Dream, resolve)


def becoming(status: DreamStatus, *before: DreamStatus) -> Change:
    return lambda session, dream: db.dreams.move(session, dream, status, *before)


def showing(is_public: bool) -> Change:
    return lambda session, dream: db.dreams.edit(session, dream, is_public=is_public)


@strawberry.type
class Mutations:
    publish_dream = changing("Make a dream public.", showing(True))
    unpublish_dream = changing("Make a dream private.", showing(False))
    archive_dream = changing("Archive a dream.", becoming(ARCHIVED, DRAFT, ACTIVE, ACHIEVED))
    revive_dream = changing(
        "Resume testing of a dream: it becomes ACTIVE.", becoming(ACTIVE, DRAFT, ACHIEVED, ARCHIVED)
    )
    achieve_dream = changing("Mark a dream as achieved.", becoming(ACHIEVED, ACTIVE))

    @mutation("Create a dream of the viewer.", WRITE, Dream)
    async def create_dream(self, info: Info, input: Input[CreateDreamInput]) -> db.dreams.Dream:
        owner, dream = info.context.principal.user_id, provided_fields(input)
        return await create_idempotently(
            info,
            db.dreams.Dream,
            input,
            lambda session: db.dreams.create(session, owner, **dream),
            in_one_statement=True,
        )

    @mutation(
        "Edit the title, description, prompt, category and tags of a dream.",
        WRITE,
        Dream,
    )
    async def edit_dream(self, info: Info, input: Input[EditDreamInput]) -> db.dreams.Dream:
        version = or_none(input.expected_version)
        async with locked_row(info, db.dreams.Dream, input.id, version) as (session, dream):
            check_may_change(info, dream)
            return await db.dreams.edit(session, dream, **provided_fields(input))

    @mutation("Create a private draft from another dream.", WRITE, Dream)
    async def remix_dream(self, info: Info, input: Input[RemixDreamInput]) -> db.dreams.Dream:
        async def remix(session: WriteSession) -> db.dreams.Dream:
            source = await get_for_update(
                session, db.dreams.Dream, id_of_table(input.id, db.dreams.Dream)
            )
            owner = info.context.principal.user_id
            return await db.dreams.remix(session, source, owner, **provided_fields(input))

        return await create_idempotently(info, db.dreams.Dream, input, remix)

    @mutation("Delete a dream and its tests.", WRITE, DreamDeleted)
    async def delete_dream(self, info: Info, input: Input[DreamInput]) -> DreamDeleted:
        async with locked_row(info, db.dreams.Dream, input.id) as (session, dream):
            check_may_change(info, dream)
            tests = await db.dreams.remove(session, dream)
        return DreamDeleted(deleted_dream_id=input.id, deleted_test_count=tests)
