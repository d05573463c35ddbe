"""The stages of a dream, followed while they begin."""

from typing import Any

import db
from db import Database
from db.dreams import DreamStatus
from graph.core.types.node import global_id
from support.factories import make_user
from support.principals import signed_in
from support.subscriptions import Follow

STAGES = """subscription ($id: ID!, $after: String) {
  dreamTimeline(dreamId: $id, after: $after) { kind cursor stages { stage operation } }
}"""


async def test_stages_are_sent_as_they_begin(database: Database, follow: Follow) -> None:
    ada, bob = await make_user(database), await make_user(database)
    dream = await written(database, ada)
    follower = await follow(STAGES, {"id": global_id(dream)}, signed_in(bob))
    assert shown(await follower.number(1)) == ("SNAPSHOT", ["ACTIVE"])

    dream = await edited(database, dream, title="Soar")  # no stage
    dream = await edited(database, dream, status=DreamStatus.ARCHIVED)
    await follower.until(lambda messages: "ARCHIVED" in str(messages))
    dream = await edited(database, dream, is_public=False)  # hidden from the subscriber
    dream = await edited(database, dream, status=DreamStatus.ACTIVE)
    dream = await edited(database, dream, is_public=True)
    messages = await follower.until(lambda messages: "EMERGING" in str(messages))

    sent = [stage for message in messages[1:] for stage in shown(message)[1]]
    assert [sent[0], sent[-1]] == ["ARCHIVED", "EMERGING"]


async def written(database: Database, owner: Any) -> Any:
    async with database.write() as session:
        return await db.dreams.create(session, owner.id, title="Fly", is_public=True)


async def edited(database: Database, dream: Any, **values: object) -> Any:
    async with database.write() as session:
        return await db.dreams.edit(session, dream, **values)


def shown(message: Any) -> tuple[str, list[str]]:
    return message["kind"], [stage["stage"] for stage in message["stages"]]
