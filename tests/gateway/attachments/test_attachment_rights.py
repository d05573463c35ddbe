"""Rights to attachments: those of their dream, and who sees them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.applications import Starlette

from db import Database
from gateway.media.store import Media
from gateway.settings import Settings
from graph.core.types.node import global_id
from support.attachments import PNG, Client, client
from support.factories import make_ai_test, make_dream
from support.payloads import ERRORS


async def test_attachments_have_the_rights_of_their_dream(
    app: Starlette, mine: Client, dream: Any, database: Database, settings: Settings
) -> None:
    attached = await mine.attach(dreamId=global_id(dream))
    query = "query ($id: ID!) { attachment(id: $id) { url } }"
    async with client(app, database, settings) as other:
        assert await other.ask(query, id=attached["id"]) == {"attachment": None}
        for verb in ("completeAttachment", "deleteAttachment"):
            refused = await other.do(verb, ERRORS, id=attached["id"])
            assert [error["code"] for error in refused["errors"]] == ["NOT_FOUND"]
        assert (await other.create(dreamId=global_id(dream)))["errors"][0]["code"] == "NOT_FOUND"
        public = await make_dream(database, user_id=dream.user_id)
        shown = await mine.attach(dreamId=global_id(public))
        assert (await other.ask(query, id=shown["id"]))["attachment"]["url"]
        refused = await other.do("deleteAttachment", ERRORS, id=shown["id"])
        assert [error["code"] for error in refused["errors"]] == ["FORBIDDEN"]


ATTACHED = "query ($id: ID!) { dream(id: $id) { attachments { totalCount nodes { name url } } } }"


async def test_everybody_sees_attachments_of_public_dreams_but_not_those_of_tests(
    app: Starlette, mine: Client, owner: Any, database: Database, settings: Settings
) -> None:
    public = await make_dream(database, user_id=owner.id)
    test = await make_ai_test(database, dream_id=public.id)
    of_dream = await mine.attach(dreamId=global_id(public), name="dream.png")
    of_test = await mine.attach(aiTestId=global_id(test), name="test.png")
    node = "query ($id: ID!) { attachment(id: $id) { name } node(id: $id) { id } }"
    async with (
        client(app, database, settings, scopes=["agents:read"]) as scoped,
        client(app, database, settings, scopes=["tests:read"]) as reader,
        client(app, database, settings) as stranger,
    ):
        stranger.headers = {}
        for nobody in (stranger, scoped):
            seen = (await nobody.ask(ATTACHED, id=global_id(public)))["dream"]["attachments"]
            [only] = seen["nodes"]
            assert (seen["totalCount"], only["name"]) == (1, "dream.png")
            assert (await nobody.http.get(f"/{only['url']}")).content == PNG
            hidden = await nobody.ask(node, id=of_test["id"])
            assert hidden == {"attachment": None, "node": None}
        both = (await reader.ask(ATTACHED, id=global_id(public)))["dream"]["attachments"]
        assert [each["name"] for each in both["nodes"]] == ["test.png", "dream.png"]
        assert (await reader.ask(node, id=of_test["id"]))["attachment"] == {"name": "test.png"}
        private = await make_dream(database, user_id=owner.id, is_public=False)
        hidden = await mine.attach(dreamId=global_id(private))
        assert await stranger.ask(node, id=hidden["id"]) == {"attachment": None, "node": None}
    assert (await mine.ask(node, id=of_dream["id"]))["attachment"] == {"name": "dream.png"}


async def test_an_address_expires(mine: Client, dream: Any, settings: Settings) -> None:
    attached = await mine.attach(dreamId=global_id(dream))
    id = UUID(attached["url"].split("/")[1].partition("?")[0])
    past = Media(settings).download_url(id, datetime.now(UTC) - timedelta(minutes=6))
    assert (await mine.http.get(f"/{past}")).status_code == 403
