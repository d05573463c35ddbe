"""Dreams are created and edited, once for each key, with a trace of who did it."""

import asyncio
from typing import Any

import pytest

from db import Database
from db.audit import AuditEntry, Change
from db.dreams import Dream
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, Principal
from graph.core.types.node import global_id
from support.factories import make_dream
from support.mutations import Run, stored
from support.payloads import outcome_of

CREATE = """mutation ($input: CreateDreamInput!) {
  createDream(input: $input) {
    dream { id title status isPublic version category owner { id } }
    errors { message code field }
  }
}"""
EDIT = """mutation ($input: EditDreamInput!) {
  editDream(input: $input) {
    dream { title description tags version }
    errors { message code field }
  }
}"""


async def test_a_dream_is_written_with_its_trace(
    run: Run, database: Database, ada: Principal
) -> None:
    answer = await run(CREATE, {"input": {"title": "Fly", "category": "AGENTIC"}}, ada)

    [dream] = await stored(database, Dream)
    [entry] = await stored(database, AuditEntry)
    [change] = await stored(database, Change)
    assert answer.data == {
        "createDream": {
            "dream": {
                "id": global_id(dream),
                "title": "Fly",
                "status": "ACTIVE",
                "isPublic": False,
                "version": 1,
                "category": "AGENTIC",
                "owner": {"id": f"user_{ada.user_id.hex}"},
            },
            "errors": [],
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
        ({"title": ""}, "title", "This text must have 1 to 200 characters."),
        ({"title": "x" * 201}, "title", "This text must have 1 to 200 characters."),
        ({"title": "x", "tags": ["x"] * 51}, "tags", "At most 50 are allowed."),
        (
            {"title": "x", "tags": ["x", "x" * 201]},
            "tags.1",
            "This text must have 1 to 200 characters.",
        ),
        ({"title": "\0"}, "title", "This text contains a character that cannot be stored."),
        ({"title": "x", "status": "ACHIEVED"}, "status", "This must be one of DRAFT, ACTIVE."),
        ({"title": "x", "status": "ARCHIVED"}, "status", "This must be one of DRAFT, ACTIVE."),
    ],
)
async def test_faults_are_named_and_nothing_is_stored(
    run: Run, database: Database, ada: Principal, input: Any, field: str, message: str
) -> None:
    answer = await run(CREATE, {"input": input}, ada)

    assert answer.data == {
        "createDream": {
            "dream": None,
            "errors": [{"code": "INVALID", "message": message, "field": field.split(".")}],
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
    """Whoever is told to try again, because too many wait for the database, does so."""
    input = {"title": "Fly", "idempotencyKey": "one"}

    async def create() -> OperationResult:
        while errors := (answer := await run(CREATE, {"input": input}, ada)).errors:
            assert [error["extensions"]["code"] for error in errors] == ["SERVICE_UNAVAILABLE"]
        return answer

    answers = await asyncio.gather(*(create() for _ in range(50)))

    assert len({str(answer.data) for answer in answers}) == 1
    assert len(await stored(database, Dream)) == 1
    assert len(await stored(database, AuditEntry)) == 1


async def test_a_key_under_which_something_else_was_asked_is_a_conflict(
    run: Run, database: Database, ada: Principal, bob: Principal
) -> None:
    await run(CREATE, {"input": {"title": "Fly", "idempotencyKey": "one"}}, ada)

    other = await run(CREATE, {"input": {"title": "Swim", "idempotencyKey": "one"}}, ada)
    somebody_else = await run(CREATE, {"input": {"title": "Swim", "idempotencyKey": "one"}}, bob)

    assert outcome_of(other.data["createDream"]) == {
        "code": "CONFLICT",
        "message": "This idempotency key was used with another input. Use another key.",
    }
    assert outcome_of(somebody_else.data["createDream"])["title"] == "Swim"
    assert len(await stored(database, Dream)) == 2


async def test_an_edit_changes_only_provided_fields(
    run: Run, database: Database, ada: Principal
) -> None:
    dream = await make_dream(database, user_id=ada.user_id, title="Fly", tags=["wings"])

    answer = await run(
        EDIT, {"input": {"id": global_id(dream), "title": "Soar", "description": None}}, ada
    )

    [entry] = await stored(database, AuditEntry)
    assert answer.data == {
        "editDream": {
            "dream": {"title": "Soar", "description": None, "tags": ["wings"], "version": 2},
            "errors": [],
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

    outcomes = [outcome_of(answer.data["editDream"]) for answer in answers]
    found = {outcome.get("code"): outcome for outcome in outcomes}
    [stored_dream] = await stored(database, Dream)
    assert set(found) == {None, "CONFLICT"}
    assert found[None]["title"] == stored_dream.title
    assert found["CONFLICT"]["message"] == (
        "The current version is 2. Read it again before retrying."
    )
