"""Dreams are written by their owners, once for each key, with a trace of who did it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select
from writing import Run, outcome, stored

from db import Database
from db.audit import AuditEntry, Change
from db.dreams import Dream
from factories import make_ai_test, make_dream, make_progress_log
from graph.core.node import global_id
from graph.core.permission import ANONYMOUS, Principal

CREATE = """mutation ($input: CreateDreamInput!) {
  createDream(input: $input) {
    __typename
    ... on Dream { id title status isPublic version category owner { id } }
    ... on Error { message code }
    ... on Invalid { field }
  }
}"""
EDIT = """mutation ($input: EditDreamInput!) {
  editDream(input: $input) {
    __typename
    ... on Dream { title description tags version }
    ... on Error { message code }
    ... on Invalid { field }
  }
}"""
DELETE = """mutation ($input: DreamInput!) {
  deleteDream(input: $input) {
    __typename
    ... on DreamDeleted { deletedDreamId deletedTestCount }
    ... on Error { message code }
  }
}"""


async def changed(run: Run, verb: str, dream: Any, who: Principal) -> dict[str, Any]:
    shown = "__typename ... on Dream { status isPublic } ... on Error { message code }"
    return await outcome(run, verb, {"id": global_id(dream)}, who, shown, "DreamInput")


async def test_a_dream_is_written_with_its_trace(
    run: Run, database: Database, ada: Principal
) -> None:
    answer = await run(CREATE, {"input": {"title": "Fly", "category": "AGENTIC"}}, ada)

    [dream] = await stored(database, Dream)
    [entry] = await stored(database, AuditEntry)
    [change] = await stored(database, Change)
    assert answer.data == {
        "createDream": {
            "__typename": "Dream",
            "id": global_id(dream),
            "title": "Fly",
            "status": "ACTIVE",
            "isPublic": False,
            "version": 1,
            "category": "AGENTIC",
            "owner": {"id": f"user_{ada.user_id.hex}"},  # type: ignore[union-attr]  # she has one
        }
    }
    assert (entry.actor, entry.operation, entry.request_id) == (
        ada.user_id,
        "createDream",
        "test-request",
    )
    assert (entry.entity, entry.entity_id, entry.before) == ("dreams", dream.id, None)
    assert entry.after["title"] == "Fly"
    assert (change.noun, change.entity_id, change.kind) == ("dreams", dream.id, "CREATED")


@pytest.mark.parametrize(
    ("input", "field", "message"),
    [
        ({"title": ""}, "title", "title must have 1 to 200 characters or entries."),
        ({"title": "x" * 201}, "title", "title must have 1 to 200 characters or entries."),
        (
            {"title": "x", "tags": ["x"] * 51},
            "tags",
            "tags must have 0 to 50 characters or entries.",
        ),
        (
            {"title": "\0"},
            None,
            "A value is out of range, or holds characters that cannot be stored.",
        ),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_stored(
    run: Run, database: Database, ada: Principal, input: Any, field: str | None, message: str
) -> None:
    answer = await run(CREATE, {"input": input}, ada)

    assert answer.data == {
        "createDream": {
            "__typename": "Invalid",
            "message": message,
            "code": "INVALID",
            "field": field,
        }
    }
    assert await stored(database, Dream) == []
    assert await stored(database, AuditEntry) == []


async def test_anonymous_writes_nothing(run: Run, database: Database) -> None:
    answer = await run(CREATE, {"input": {"title": "Fly"}}, ANONYMOUS)

    assert answer.executed is False
    assert answer.errors[0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await stored(database, Dream) == []


async def test_the_same_key_fifty_times_at_once_makes_one_dream(
    run: Run, database: Database, ada: Principal
) -> None:
    input = {"title": "Fly", "idempotencyKey": "one"}

    answers = await asyncio.gather(*(run(CREATE, {"input": input}, ada) for _ in range(50)))

    assert [answer.errors for answer in answers] == [[]] * 50
    assert len({str(answer.data) for answer in answers}) == 1
    assert len(await stored(database, Dream)) == 1
    assert len(await stored(database, AuditEntry)) == 1


async def test_a_key_under_which_something_else_was_asked_is_a_conflict(
    run: Run, database: Database, ada: Principal, bob: Principal
) -> None:
    await run(CREATE, {"input": {"title": "Fly", "idempotencyKey": "one"}}, ada)

    other = await run(CREATE, {"input": {"title": "Swim", "idempotencyKey": "one"}}, ada)
    somebody_else = await run(CREATE, {"input": {"title": "Swim", "idempotencyKey": "one"}}, bob)

    assert other.data["createDream"] == {  # type: ignore[index]  # there is data
        "__typename": "Conflict",
        "message": "Something else was asked under this idempotency key.",
        "code": "CONFLICT",
    }
    assert somebody_else.data["createDream"]["title"] == "Swim"  # type: ignore[index]  # as above
    assert len(await stored(database, Dream)) == 2


async def test_an_edit_changes_what_is_given_and_nothing_else(
    run: Run, database: Database, ada: Principal
) -> None:
    dream = await make_dream(database, user_id=ada.user_id, title="Fly", tags=["wings"])

    answer = await run(
        EDIT, {"input": {"id": global_id(dream), "title": "Soar", "description": None}}, ada
    )

    [entry] = await stored(database, AuditEntry)
    assert answer.data == {
        "editDream": {
            "__typename": "Dream",
            "title": "Soar",
            "description": None,
            "tags": ["wings"],
            "version": 2,
        }
    }
    assert entry.before["title"] == "Fly"
    assert set(entry.after) == {"title", "description", "version", "updated_at"}


async def test_of_two_editors_of_one_version_one_meets_a_conflict(
    run: Run, database: Database, ada: Principal
) -> None:
    dream = await make_dream(database, user_id=ada.user_id)
    edits = [
        {"id": global_id(dream), "expectedVersion": 1, "title": title} for title in ("one", "two")
    ]

    answers = await asyncio.gather(*(run(EDIT, {"input": edit}, ada) for edit in edits))

    found = {answer.data["editDream"]["__typename"]: answer for answer in answers}  # type: ignore[index]  # there is data
    [stored_dream] = await stored(database, Dream)
    assert set(found) == {"Dream", "Conflict"}
    assert found["Dream"].data["editDream"]["title"] == stored_dream.title  # type: ignore[index]  # as above
    assert found["Conflict"].data["editDream"]["message"] == (  # type: ignore[index]  # as above
        "It is at version 2 now; read it again and decide."
    )


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [
        ("ACTIVE", "archiveDream", "ARCHIVED"),
        ("DRAFT", "reviveDream", "ACTIVE"),
        ("ARCHIVED", "reviveDream", "ACTIVE"),
        ("ACTIVE", "achieveDream", "ACHIEVED"),
        ("ACHIEVED", "achieveDream", "ACHIEVED"),
    ],
)
async def test_a_dream_moves_through_its_life(
    run: Run, database: Database, ada: Principal, before: str, verb: str, after: str
) -> None:
    dream = await make_dream(database, user_id=ada.user_id, status=before)

    assert (await changed(run, verb, dream, ada))["status"] == after


async def test_a_draft_cannot_be_achieved(run: Run, database: Database, ada: Principal) -> None:
    dream = await make_dream(database, user_id=ada.user_id, status="DRAFT")

    assert await changed(run, "achieveDream", dream, ada) == {
        "__typename": "Conflict",
        "message": "A dream that is DRAFT cannot become ACHIEVED.",
        "code": "CONFLICT",
    }


async def test_a_dream_is_published_and_taken_back(
    run: Run, database: Database, ada: Principal
) -> None:
    dream = await make_dream(database, user_id=ada.user_id, is_public=False)

    assert (await changed(run, "publishDream", dream, ada))["isPublic"] is True
    assert (await changed(run, "unpublishDream", dream, ada))["isPublic"] is False


async def test_a_foreign_dream_is_forbidden_when_seen_and_not_found_when_not(
    run: Run, database: Database, ada: Principal, bob: Principal
) -> None:
    public = await make_dream(database, user_id=ada.user_id, is_public=True)
    private = await make_dream(database, user_id=ada.user_id, is_public=False)

    seen = await changed(run, "archiveDream", public, bob)
    unseen = await changed(run, "archiveDream", private, bob)

    assert (seen["__typename"], unseen["__typename"]) == ("Forbidden", "NotFound")
    assert await stored(database, AuditEntry) == []


async def test_a_remix_is_a_private_draft_with_the_words_of_its_source(
    run: Run, database: Database, ada: Principal, bob: Principal
) -> None:
    source = await make_dream(database, user_id=ada.user_id, title="Fly", tags=["wings"])

    answer = await run(
        """mutation ($input: RemixDreamInput!) {
          remixDream(input: $input) {
            ... on Dream { title description tags status isPublic remixedFrom { id } }
          }
        }""",
        {"input": {"id": global_id(source), "title": "Fly higher"}},
        bob,
    )

    assert answer.data == {
        "remixDream": {
            "title": "Fly higher",
            "description": source.description,
            "tags": ["wings"],
            "status": "DRAFT",
            "isPublic": False,
            "remixedFrom": {"id": global_id(source)},
        }
    }


async def test_a_deleted_dream_takes_its_tests_and_progress_along(
    run: Run, database: Database, ada: Principal
) -> None:
    dream = await make_dream(database, user_id=ada.user_id)
    for _ in range(2):
        await make_ai_test(database, dream_id=dream.id)
    await make_progress_log(database, dream_id=dream.id)

    answer = await run(DELETE, {"input": {"id": global_id(dream)}}, ada)

    assert answer.data == {
        "deleteDream": {
            "__typename": "DreamDeleted",
            "deletedDreamId": global_id(dream),
            "deletedTestCount": 2,
        }
    }
    async with database.read() as session:
        for name in ("ai_tests", "progress_logs", "dreams"):
            table = Dream.metadata.tables[name]
            assert await session.scalar(select(func.count()).select_from(table)) == 0
