"""Dreams are moved through their life by their owners: published, achieved, remixed, deleted."""

from typing import Any

import pytest
from sqlalchemy import func, select

from db import Database
from db.audit import AuditEntry
from db.dreams import Dream
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.factories import make_ai_test, make_dream, make_progress_log
from support.mutations import Run, outcome, stored

DELETE = """mutation ($input: DreamInput!) {
  deleteDream(input: $input) {
    deletedDreamId deletedTestCount
    errors { message code }
  }
}"""


async def changed(run: Run, verb: str, dream: Any, who: Principal) -> dict[str, Any]:
    shown = "dream { status isPublic } errors { message code }"
    return await outcome(run, verb, {"id": global_id(dream)}, who, shown, "DreamInput")


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
        "code": "CONFLICT",
        "message": "A dream with the status DRAFT cannot become ACHIEVED.",
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

    assert (seen["code"], unseen["code"]) == ("FORBIDDEN", "NOT_FOUND")
    assert await stored(database, AuditEntry) == []


async def test_a_remix_is_a_private_draft_with_the_words_of_its_source(
    run: Run, database: Database, ada: Principal, bob: Principal
) -> None:
    source = await make_dream(database, user_id=ada.user_id, title="Fly", tags=["wings"])

    answer = await run(
        """mutation ($input: RemixDreamInput!) {
          remixDream(input: $input) {
            dream { title description tags status isPublic remixedFrom { id } }
            errors { message }
          }
        }""",
        {"input": {"id": global_id(source), "title": "Fly higher"}},
        bob,
    )

    assert answer.data == {
        "remixDream": {
            "dream": {
                "title": "Fly higher",
                "description": source.description,
                "tags": ["wings"],
                "status": "DRAFT",
                "isPublic": False,
                "remixedFrom": {"id": global_id(source)},
            },
            "errors": [],
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
            "deletedDreamId": global_id(dream),
            "deletedTestCount": 2,
            "errors": [],
        }
    }
    async with database.read() as session:
        for name in ("ai_tests", "progress_logs", "dreams"):
            table = Dream.metadata.tables[name]
            assert await session.scalar(select(func.count()).select_from(table)) == 0
