"""The whole way of a user, carried out as docs/first-steps.md tells it."""

import re
from pathlib import Path
from typing import Any

import httpx2
from callers import gateway, make_key, production

from db import Database
from factories import make_user

TEXT = (Path(__file__).parents[2] / "docs" / "first-steps.md").read_text()
STEPS = {
    re.search(r"(?:query|mutation) (\w+)", step)[1]: step
    for step in re.findall(r"```graphql\n(.*?)```", TEXT, re.DOTALL)
}


class User:
    """Carries out steps of the document with one key, or with none."""

    def __init__(self, client: httpx2.AsyncClient, key: str | None) -> None:
        self.client = client
        self.headers = {"authorization": f"Bearer {key}"} if key else {}

    async def does(self, step: str, **variables: Any) -> Any:
        """The answer to the only field of a step, which has no errors."""
        body = {"query": STEPS[step], "variables": variables}
        answer = (await self.client.post("/graphql", json=body, headers=self.headers)).json()
        assert "errors" not in answer, answer
        [value] = answer["data"].values()
        return value


async def test_from_a_key_to_a_published_dream(database: Database) -> None:
    settings = production(public_read=True)
    admin_id = (await make_user(database, role="ADMIN")).id
    admin_key = (await make_key(database, settings, user_id=admin_id)).text
    transport = httpx2.ASGITransport(gateway(settings, database))

    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        admin, stranger = User(client, admin_key), User(client, None)
        made = await admin.does("MakeUser")
        assert made["role"] == "MEMBER"
        key = await admin.does("MakeKey", user=made["id"])
        assert key["apiKey"] == {"service": "first steps", "scopes": []}
        assert (await admin.does("NameModel"))["costPer1kTokens"] == "0.020000"
        ada = User(client, key["secret"])

        dream = await ada.does("WriteDream")
        assert (dream["status"], dream["isPublic"]) == ("ACTIVE", False)
        for score in (90, 60, 30):
            test = await ada.does("StartTest", dream=dream["id"])
            assert await ada.does("CompleteTest", test=test["id"], score=score) == {
                "status": "COMPLETED",
                "impossibilityScore": score,
                "cost": "0.030000",
                "isCostDerived": True,
            }

        assert await ada.does("Progress", dream=dream["id"]) == {
            "title": "Prove a new theorem",
            "status": "ACTIVE",
            "latestProgress": {"averageImpossibility": 30, "bestScore": 30, "testCount": 3},
            "totals": {"testCount": 3, "totalTokens": 4500, "totalCost": "0.090000"},
            "progress": {
                "nodes": [{"averageImpossibility": score} for score in (90, 60, 30)][::-1]
            },
        }
        assert await stranger.does("Anonymous", dream=dream["id"]) is None
        assert await ada.does("Publish", dream=dream["id"]) == {"isPublic": True}
        assert await stranger.does("Anonymous", dream=dream["id"]) == {
            "title": "Prove a new theorem",
            "latestProgress": {"averageImpossibility": 30},
        }
