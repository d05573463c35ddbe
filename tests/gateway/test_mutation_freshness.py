"""Several mutations in one request: the answer of each shows the database after it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from db import Database
from graph.core.types.node import global_id
from support.factories import make_ai_model, make_ai_test, make_dream, make_user
from support.gateways import Send, gateway, make_key, production, signed_in


@pytest.fixture
async def user(database: Database) -> Any:
    return await make_user(database, role="OPERATOR")


@pytest.fixture
async def send(database: Database, user: Any) -> AsyncIterator[Send]:
    """Sends operations with a key of the user to a gateway in production."""
    settings = production()
    key = await make_key(database, settings, user_id=user.id)
    async with signed_in(gateway(settings, database), key.text) as send:
        yield send


async def test_each_recorded_test_shows_the_figures_after_it(
    send: Send, database: Database, user: Any
) -> None:
    await make_ai_model(database, provider="openai", name="gpt-4")
    dream = await make_dream(database, user_id=user.id)
    shown = """aiTest {
      aiModel { statistics { testCount averageScore } tests { totalCount } }
      dream {
        totals { testCount } tests { totalCount } latestTest { impossibilityScore }
        latestProgress { testCount bestScore } progress { nodes { testCount } }
        decay { testCount }
      }
    }"""
    first, second = (
        f"""recordAiTest(input: {{dreamId: "{global_id(dream)}", provider: "openai",
            model: "gpt-4", impossibilityScore: {score}}}) {{ {shown} }}"""
        for score in (80, 60)
    )
    answer = await send(f"mutation {{ first: {first} second: {second} }}")
    assert answer["first"]["aiTest"] == figures(1, 80, 80)
    assert answer["second"]["aiTest"] == figures(2, 70, 60)


def figures(count: int, average: float, latest: float) -> dict[str, Any]:
    return {
        "aiModel": {
            "statistics": {"testCount": count, "averageScore": average},
            "tests": {"totalCount": count},
        },
        "dream": {
            "totals": {"testCount": count},
            "tests": {"totalCount": count},
            "latestTest": {"impossibilityScore": latest},
            "latestProgress": {"testCount": count, "bestScore": latest},
            "progress": {"nodes": [{"testCount": n} for n in range(count, 0, -1)]},
            "decay": [{"testCount": count}],
        },
    }


async def test_each_edit_shows_the_title_after_it(
    send: Send, database: Database, user: Any
) -> None:
    dream = await make_dream(database, user_id=user.id, title="zero")
    await make_ai_test(database, dream_id=dream.id)
    edits = [
        f"""{title}: editDream(input: {{id: "{global_id(dream)}", title: "{title}"}}) {{
          dream {{ title tests {{ nodes {{ dream {{ title }} }} }} }}
        }}"""
        for title in ("one", "two", "three")
    ]
    answer = await send(f"mutation {{ {' '.join(edits)} }}")
    assert answer == {
        title: {"dream": {"title": title, "tests": {"nodes": [{"dream": {"title": title}}]}}}
        for title in ("one", "two", "three")
    }


async def test_fragments_and_an_error_between_change_nothing(
    send: Send, database: Database, user: Any
) -> None:
    dream = await make_dream(database, user_id=user.id)
    id = global_id(dream)
    answer = await send(
        """mutation ($id: ID!, $gone: ID!, $user: ID!, $wallet: String!) {
          first: publishDream(input: {id: $id}) { dream { ...owned } errors { code } }
          none: publishDream(input: {id: $gone}) { dream { ...owned } errors { code } }
          renamed: editUser(input: {id: $user, walletAddress: $wallet}) { user { id } }
          second: unpublishDream(input: {id: $id}) { dream { ...owned } errors { code } }
        }
        fragment owned on Dream { owner { walletAddress } }
        """,
        id=id,
        gone="dream_" + "0" * 32,
        wallet="0x" + "1" * 40,
        user=global_id(user),
    )
    assert answer["first"] == {"dream": {"owner": {"walletAddress": None}}, "errors": []}
    assert answer["none"] == {"dream": None, "errors": [{"code": "NOT_FOUND"}]}
    after = {"owner": {"walletAddress": "0x" + "1" * 40}}
    assert answer["second"] == {"dream": after, "errors": []}
