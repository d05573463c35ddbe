"""Plans and row rules: nothing hidden is shown, and viewers of one kind share statements."""

import asyncio
from typing import Any

import pytest

from db import Database
from db.core.session import compiled
from db.core.session.row_rules import Visibility
from db.core.values import json
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import Principal
from graph.core.types.node import global_id
from graph.schema import schema
from support.executors import needs_plans
from support.factories import make_ai_test, make_dream, make_progress_log, make_user
from support.query_count import statements

pytestmark = needs_plans

HIDDEN = """query ($private: ID!, $remix: ID!) {
  dream(id: $private) { title }
  node(id: $private) { id }
  nodes(ids: [$private]) { id }
  dreams { nodes { title } edges { node { title } } }
  aiTests { nodes { model } }
  progressLogs { nodes { dream { title } } }
  remix: dream(id: $remix) { title remixedFrom { title latestTest { model } } }
}"""


async def _hidden(database: Database, comment: str) -> dict[str, Any]:
    """What a member sees of the private dream of another."""
    ada, bob = await make_user(database), await make_user(database)
    dream = await make_dream(database, user_id=ada.id, is_public=False, title="secret")
    await make_ai_test(database, dream_id=dream.id, user_id=ada.id, model="secret")
    await make_progress_log(database, dream_id=dream.id)
    remix = await make_dream(database, user_id=bob.id, remixed_from_id=dream.id, title="remix")
    member = Principal(bob.id, Role.MEMBER)
    context = Context(database, member, "request")
    variables = {"private": global_id(dream), "remix": global_id(remix)}
    operation = prepare(schema, f"# {comment}\n{HIDDEN}")
    result = await execute(operation, variables, context)
    assert (result.errors, context.fallback) == ([], None)
    shown: dict[str, Any] = json.loads(result.body)["data"]
    return shown


async def test_a_plan_hides_what_row_rules_hide(database: Database) -> None:
    assert "secret" not in str(await _hidden(database, "with rules"))


async def test_without_row_rules_a_plan_would_show_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: it would notice if plans did not apply the rules."""
    monkeypatch.setattr(compiled, "row_rules", lambda _: ())

    shown = await _hidden(database, "without")  # no plan of this text is known

    assert shown["dream"] == {"title": "secret"}
    assert [row["title"] for row in shown["dreams"]["nodes"]] == ["remix", "secret"]
    assert shown["aiTests"] == {"nodes": [{"model": "secret"}]}
    assert shown["progressLogs"] == {"nodes": [{"dream": {"title": "secret"}}]}
    assert shown["remix"]["remixedFrom"] == {"title": "secret", "latestTest": {"model": "secret"}}


async def test_viewers_of_one_kind_share_a_statement_and_see_their_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Visibility] = []
    compile_statement = compiled.compile_statement

    def counting(statement: Any, visibility: Visibility) -> Any:
        made.append(visibility)
        return compile_statement(statement, visibility)

    monkeypatch.setattr("graph.core.execution.plan.run.compile_statement", counting)
    operation = prepare(schema, "{ dreams { nodes { mine: title } } }")
    for number in range(3):
        user = await make_user(database)
        await make_dream(database, user_id=user.id, is_public=False, title=f"of {number}")
        context = Context(database, Principal(user.id, Role.MEMBER), "request")
        result = await execute(operation, None, context)
        assert json.loads(result.body)["data"] == {"dreams": {"nodes": [{"mine": f"of {number}"}]}}

    assert len(made) == 1


async def test_reads_by_id_of_one_viewer_share_a_statement(database: Database) -> None:
    ada, bob = await make_user(database), await make_user(database)
    public = await make_dream(database, user_id=ada.id, title="public")
    private = await make_dream(database, user_id=ada.id, title="private", is_public=False)
    operation = prepare(schema, "query ($id: ID!) { dream(id: $id) { title } }")

    async def ask(user: Any, dream: Any) -> object:
        context = Context(database, Principal(user.id, Role.MEMBER), "request")
        result = await execute(operation, {"id": global_id(dream)}, context)
        return json.loads(result.body)["data"]["dream"]

    with statements(database, exactly=2):
        found = await asyncio.gather(
            *(ask(user, dream) for user in (ada, bob) for dream in (public, private, public))
        )

    shown = {"title": "public"}
    assert found == [shown, {"title": "private"}, shown, shown, None, shown]
