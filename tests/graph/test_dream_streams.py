"""Dreams as they change, followed; and who may know of it."""

from pathlib import Path
from typing import Any

import pytest

import db
from db import Database
from db.importer import import_files
from graph.core.principal import ANONYMOUS
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.principals import signed_in
from support.query_count import statements
from support.subscriptions import Follow, Follower, Refused

SAMPLE = Path(__file__).parents[1] / "samples/everything.jsonl"
DREAMS = """subscription ($filter: DreamFilter, $after: String) {
  dreams(filter: $filter, after: $after) { kind cursor dreams { title } removedIds }
}"""


async def write(database: Database, user: Any, **values: Any) -> Any:
    async with database.write() as session:
        return await db.dreams.create(session, user.id, **{"is_public": True, **values})


async def edit(database: Database, dream: Any, **values: Any) -> Any:
    async with database.write() as session:
        return await db.dreams.edit(session, dream, **values)


async def remove(database: Database, dream: Any) -> None:
    async with database.write() as session:
        await db.dreams.remove(session, dream)


def received(message: Any) -> tuple[list[str], list[str]]:
    """What a message shows: titles, and ids removed."""
    return [dream["title"] for dream in message["dreams"]], message["removedIds"]


async def everything(follower: Follower, title: str) -> list[Any]:
    """What was told in all messages, until the one with that title."""
    messages = await follower.until(lambda messages: title in str(messages))
    return [received(message) for message in messages if message["kind"] == "UPDATE"]


async def test_dreams_are_sent_as_they_change(database: Database, follow: Follow) -> None:
    ada = await make_user(database)
    await make_dream(database, title="before")
    follower = await follow(DREAMS)
    assert (await follower.number(1))["kind"] == "SNAPSHOT"

    dream = await write(database, ada, title="first")
    assert received(await follower.number(2)) == (["first"], [])
    dream = await edit(database, dream, title="second")
    assert received(await follower.number(3)) == (["second"], [])
    await remove(database, dream)
    assert received(await follower.number(4)) == ([], [global_id(dream)])


async def test_several_changes_are_sent_as_one_in_the_order_of_the_last(
    database: Database, follow: Follow
) -> None:
    ada = await make_user(database)
    follower = await follow(DREAMS)
    cursor = (await follower.number(1))["cursor"]
    one, two = [await write(database, ada, title=title) for title in ("one", "two")]
    await edit(database, one, title="one again")
    await remove(database, await write(database, ada, title="short-lived"))
    await everything(follower, "one again")

    again = await follow(DREAMS, {"after": cursor})
    titles, removed = received(await again.number(1))
    assert titles == ["two", "one again"]
    assert len(removed) == 1
    assert global_id(two) not in removed


async def test_a_filter_reports_rows_that_leave_it(database: Database, follow: Follow) -> None:
    ada = await make_user(database)
    follower = await follow(DREAMS, {"filter": {"category": {"eq": "MATH"}}})
    await follower.number(1)
    other = await write(database, ada, title="other", category="CODING")
    dream = await write(database, ada, title="proof", category="MATH")
    assert received(await follower.number(2)) == (["proof"], [])
    await edit(database, other, title="never told")
    dream = await edit(database, dream, category="CODING")
    assert received(await follower.number(3)) == ([], [global_id(dream)])
    await edit(database, dream, title="no longer told")
    await remove(database, dream)
    await write(database, ada, title="end", category="MATH")
    later = (await everything(follower, "end"))[2:]
    assert [title for titles, _ in later for title in titles] == ["end"]
    assert {id for _, removed in later for id in removed} == {global_id(dream)}


async def test_a_filter_on_tests_excludes_every_other_row(
    database: Database, follow: Follow
) -> None:
    """Whether it did before, its tests may have decided."""
    dream = await write(database, await make_user(database), title="one")
    follower = await follow(DREAMS, {"filter": {"tests": {"model": {"eq": "gpt"}}}})
    await follower.number(1)
    await edit(database, dream, title="two")
    assert received(await follower.number(2)) == ([], [global_id(dream)])


@pytest.mark.parametrize("how", ["unpublished", "removed"])
async def test_a_hidden_dream_is_removed_once(database: Database, follow: Follow, how: str) -> None:
    ada, bob = await make_user(database), await make_user(database)
    dream = await write(database, ada, title="shared")
    own, foreign = (
        await follow(DREAMS, who=signed_in(ada)),
        await follow(DREAMS, who=signed_in(bob)),
    )
    for follower in (own, foreign):
        await follower.number(1)

    if how == "unpublished":
        dream = await edit(database, dream, is_public=False)
        assert received(await own.number(2)) == (["shared"], [])
        dream = await edit(database, dream, title="secret")
        assert (["secret"], []) in await everything(own, "secret")
    await remove(database, dream)
    await write(database, ada, title="end")

    assert await everything(foreign, "end") in (
        [([], [global_id(dream)]), (["end"], [])],
        [(["end"], [global_id(dream)])],
    )
    assert [global_id(dream)] in [removed for _, removed in await everything(own, "end")]


async def test_private_dreams_of_others_stay_hidden(database: Database, follow: Follow) -> None:
    ada, bob = await make_user(database), await make_user(database)
    foreign, nobody = await follow(DREAMS, who=signed_in(bob)), await follow(DREAMS, who=ANONYMOUS)
    for follower in (foreign, nobody):
        await follower.number(1)
    dream = await write(database, ada, title="secret", is_public=False)
    dream = await edit(database, dream, title="still secret", category="MATH")
    await remove(database, dream)
    await write(database, ada, title="end")

    assert await everything(foreign, "end") == [(["end"], [])]
    assert await everything(nobody, "end") == [(["end"], [])]


async def test_a_private_dream_is_sent_when_it_is_published(
    database: Database, follow: Follow
) -> None:
    ada, bob = await make_user(database), await make_user(database)
    dream = await write(database, ada, title="quiet", is_public=False)
    follower = await follow(DREAMS, who=signed_in(bob))
    await follower.number(1)
    await edit(database, dream, is_public=True)
    assert received(await follower.number(2)) == (["quiet"], [])


async def test_a_resumed_subscription_sees_current_visibility(
    database: Database, follow: Follow
) -> None:
    ada, bob = await make_user(database), await make_user(database)
    follower = await follow(DREAMS, who=signed_in(bob))
    cursor = (await follower.number(1))["cursor"]
    dream = await write(database, ada, title="public at first")
    await follower.number(2)
    await edit(database, dream, is_public=False)
    await follower.number(3)

    again = await follow(DREAMS, {"after": cursor}, signed_in(bob))
    assert received(await again.number(1)) == ([], [global_id(dream)])


async def test_relations_are_loaded_anew_for_each_message(
    database: Database, follow: Follow
) -> None:
    ada = await make_user(database, passport_tier="visitor")
    text = "subscription { dreams { kind dreams { owner { passportTier } } } }"
    follower = await follow(text)
    await follower.number(1)
    dream = await write(database, ada, title="one")
    assert (await follower.number(2))["dreams"] == [{"owner": {"passportTier": "visitor"}}]
    async with database.write() as session:
        await db.audit.change(session, db.users.User, ada, passport_tier="dreamer")
    await edit(database, dream, title="two")
    assert (await follower.number(3))["dreams"] == [{"owner": {"passportTier": "dreamer"}}]


async def test_a_message_costs_one_statement_per_visibility(
    database: Database, follow: Follow
) -> None:
    ada = await make_user(database)
    followers = [await follow(DREAMS, who=ANONYMOUS) for _ in range(5)]
    for follower in followers:
        await follower.number(1)
    async with database.write() as session:
        await db.dreams.create(session, ada.id, title="one", is_public=True)
    with statements(database, exactly=1):
        for follower in followers:
            await follower.number(2)


async def test_a_filter_that_is_none_is_refused(follow: Follow) -> None:
    with pytest.raises(Refused) as refused:
        await follow(DREAMS, {"filter": {"title": {"eq": None}}})
    assert refused.value.errors[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_after_an_import_all_subscribers_are_reset(
    database: Database, follow: Follow, tmp_path: Path
) -> None:
    """So much is not told row by row; what was there before may be missing something."""
    follower = await follow(DREAMS)
    start = await follower.number(1)
    await import_files(database, [SAMPLE], rejects_dir=tmp_path)

    reset, snapshot = await follower.number(2), await follower.number(3)
    assert (reset["kind"], snapshot["kind"]) == ("RESET", "SNAPSHOT")
    again = await follow(DREAMS, {"after": start["cursor"]})
    assert (await again.number(1))["kind"] == "RESET"
