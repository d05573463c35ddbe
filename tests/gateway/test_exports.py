"""`GET /export/…`: rows as a file, with the rights of the API."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from statistics import fmean
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete

from db import Database, audit
from db.ai_tests import AiTest
from db.core.query.filter import And
from db.core.session.audit_context import AuditContext
from db.dreams import Dream
from db.exporter import NOUNS, Format, Part, chunks
from db.users import Role
from gateway.export_rights import EXPORTS
from graph.core.types.field import metadata_of
from graph.schema import schema
from support.factories import (
    make_ai_test,
    make_dream,
    make_event,
    make_metric,
    make_user,
)
from support.gateways import gateway, make_key, production

Get = Callable[..., Awaitable[httpx2.Response]]
NOBODY, MEMBER, OPERATOR = "nobody", "member", "operator"


@asynccontextmanager
async def asking(database: Database, credential: str | None) -> AsyncIterator[Get]:
    app = gateway(production(), database)
    headers = {"authorization": f"Bearer {credential}"} if credential else {}
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000", headers=headers
        ) as client,
    ):

        async def get(noun: str, **parameters: str) -> httpx2.Response:
            return await client.get(f"/export/{noun}", params=parameters)

        yield get


def rows(response: httpx2.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


async def credential(database: Database, role: Role, *scopes: str, **more: Any) -> tuple[Any, str]:
    user = await make_user(database, role=role, **more)
    key = await make_key(database, production(), user_id=user.id, scopes=list(scopes))
    return user, key.text


async def test_members_get_the_rows_that_they_see(database: Database) -> None:
    ada, key = await credential(database, Role.MEMBER, email="ada@example.org")
    own = await make_dream(database, user_id=ada.id, is_public=False)
    other = await make_dream(database, is_public=True)
    hidden = await make_dream(database, is_public=False)
    for dream in (own, other, hidden):
        await make_ai_test(database, dream_id=dream.id)

    async with asking(database, key) as get:
        dreams, tests = rows(await get("dreams")), rows(await get("tests"))
        features = rows(await get("features"))

    seen = [str(own.id), str(other.id)]
    assert [each["id"] for each in dreams] == seen
    assert [each["ownerEmail"] for each in dreams] == [None, None]
    assert [each["dreamKey"] for each in tests] == seen
    assert [each["dreamId"] for each in features] == seen


async def test_operators_get_all_rows_and_the_addresses_of_owners(database: Database) -> None:
    _, key = await credential(database, Role.OPERATOR)
    owner = await make_user(database, email="bob@example.org")
    await make_dream(database, user_id=owner.id, is_public=False)

    async with asking(database, key) as get:
        [dream] = rows(await get("dreams"))

    assert dream["ownerEmail"] == "bob@example.org"


async def test_administrators_get_all_of_the_audit_log_and_others_their_own(
    database: Database,
) -> None:
    exported: dict[Role, list[dict[str, Any]]] = {}
    makers: dict[Role, Any] = {}
    for role in (Role.MEMBER, Role.ADMIN):
        makers[role], key = await credential(database, role)
        async with database.write(AuditContext("createDream", "r-1", makers[role].id)) as session:
            dream = await audit.create(session, Dream, title="Fly", description="Away")
        async with asking(database, key) as get:
            exported[role] = rows(await get("auditEntries", where='{"entity": {"eq": "dreams"}}'))

    assert [each["actorId"] for each in exported[Role.MEMBER]] == [str(makers[Role.MEMBER].id)]
    assert len(exported[Role.ADMIN]) == 2
    newest = exported[Role.ADMIN][-1]
    assert newest["after"].pop("title") == "Fly"
    assert newest.pop("after").keys() >= {"id", "created_at"}
    del newest["id"], newest["createdAt"], newest["kind"]
    assert newest == {
        "operation": "createDream",
        "entity": "dreams",
        "entityId": str(dream.id),
        "before": None,
        "actorId": str(makers[Role.ADMIN].id),
        "keyId": None,
        "requestId": "r-1",
    }


@pytest.mark.parametrize("noun", EXPORTS)
async def test_nobody_gets_an_export_without_a_credential(database: Database, noun: str) -> None:
    async with asking(database, None) as get:
        response = await get(noun)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("noun", "role", "scopes", "status"),
    [
        ("events", Role.MEMBER, [], 403),
        ("metrics", Role.MEMBER, [], 403),
        ("agentReports", Role.MEMBER, [], 403),
        ("auditEntries", Role.ADMIN, ["users:read"], 403),
        ("auditEntries", Role.ADMIN, ["audit:read", "users:read"], 200),
        ("events", Role.OPERATOR, ["metrics:read"], 403),
        ("events", Role.OPERATOR, ["events:read"], 200),
        ("tests", Role.OPERATOR, ["events:read"], 403),
        ("features", Role.OPERATOR, ["events:read"], 403),
        ("tests", Role.MEMBER, ["tests:read"], 200),
        ("models", Role.MEMBER, [], 200),
        ("dragons", Role.ADMIN, [], 404),
    ],
)
async def test_exports_need_the_access_of_their_fields(
    database: Database, noun: str, role: Role, scopes: list[str], status: int
) -> None:
    _, key = await credential(database, role, *scopes)
    async with asking(database, key) as get:
        response = await get(noun)
    assert response.status_code == status, response.text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"format": "xml"}, "The format must be one of jsonl, csv, parquet."),
        ({"where": "{"}, "`where` is not JSON"),
        ({"where": '{"title": {"like": "a"}}'}, "like"),
        ({"where": "x" * 16_385}, "more than 16,384 characters"),
        ({"after": "1"}, "is not the `id` of an exported row"),
        ({"until": "today"}, "`until` must be a time"),
        ({"limit": "1"}, "There is no parameter 'limit'."),
    ],
)
async def test_wrong_parameters_are_explained(
    database: Database, parameters: dict[str, str], message: str
) -> None:
    _, key = await credential(database, Role.MEMBER)
    async with asking(database, key) as get:
        response = await get("dreams", **parameters)
    [error] = response.json()["errors"]
    assert response.status_code == 400
    assert message in error["message"]
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]


async def test_filters_and_formats(database: Database) -> None:
    _, key = await credential(database, Role.OPERATOR)
    for value in (1, 2):
        await make_metric(database, metric_name=f"m{value}", value=value)

    where = '{"metricName": {"eq": "m2"}}'
    async with asking(database, key) as get:
        found = {each: await get("metrics", where=where, format=each) for each in Format}

    [metric] = rows(found[Format.JSONL])
    assert metric["value"] == "2.000000"
    assert found[Format.CSV].text.splitlines()[0] == "id,metricName,value,unit,tags,timestamp"
    assert found[Format.PARQUET].content[:4] == found[Format.PARQUET].content[-4:] == b"PAR1"
    assert [each.headers["content-type"].split(";")[0] for each in found.values()] == [
        "application/jsonl",
        "text/csv",
        "application/vnd.apache.parquet",
    ]


async def test_an_export_continues_until_the_time_of_the_first_one(database: Database) -> None:
    _, key = await credential(database, Role.OPERATOR)
    made = [await make_event(database) for _ in range(3)]

    async with asking(database, key) as get:
        first = await get("events")
        await make_event(database, timestamp=await database.now())
        until = first.headers["x-export-until"]
        rest = await get("events", after=rows(first)[0]["id"], until=until)

    assert [each["id"] for each in rows(first)] == [str(each.id) for each in made]
    assert rows(rest) == rows(first)[1:]


async def test_points_are_charged(database: Database) -> None:
    _, key = await credential(database, Role.MEMBER)
    app = gateway(production(budget_points_per_minute=150), database)
    headers = {"authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        responses = [await client.get("/export/models", headers=headers) for _ in range(2)]
    assert [each.status_code for each in responses] == [200, 429]


async def test_rows_are_those_of_one_snapshot(database: Database) -> None:
    dream = await make_dream(database)
    made = [await make_ai_test(database, dream_id=dream.id) for _ in range(1_200)]
    part = Part(And(()), await database.now())
    export = chunks(database, NOUNS["tests"], Format.JSONL, part)

    first = await anext(export)
    async with database.write() as session:
        await session.execute(delete(AiTest).where(AiTest.id > made[0].id))
    await make_ai_test(database, dream_id=dream.id, created_at=made[0].created_at)
    content = first + b"".join([chunk async for chunk in export])

    assert len(content) > len(first)
    assert [json.loads(line)["id"] for line in content.splitlines()] == [
        str(each.id) for each in made
    ]


async def test_features_equal_those_computed_from_the_tests(database: Database) -> None:
    dreams = [await make_dream(database, category="MATH", tags=["a"]) for _ in range(2)]
    tests = defaultdict(list)
    for number in range(40):
        scored = number % 3 > 0
        test = await make_ai_test(
            database,
            dream_id=dreams[number % 2].id,
            model=f"m{number % 4 // 2}",
            created_at=dreams[0].created_at.replace(day=16 + number % 5, hour=number % 24),
            impossibility_score=number if scored else None,
            confidence=None,
            status="COMPLETED" if scored else "FAILED",
            cost=f"0.{number:06}",
            tokens_used=number,
            duration=1_000 * number,
        )
        day = f"{test.created_at:%Y-%m-%d}"
        tests[day, str(test.dream_id), test.provider, test.model].append(test)
    _, key = await credential(database, Role.OPERATOR)

    async with asking(database, key) as get:
        features = rows(await get("features"))

    assert len(features) == len(tests)
    for feature, (group, members) in zip(features, sorted(tests.items()), strict=True):
        scores = [test.impossibility_score for test in members if test.impossibility_score]
        durations = [test.duration for test in members if test.status == "COMPLETED"]
        assert tuple(json.loads(feature["id"])) == group
        assert feature["day"] == f"{group[0]}T00:00:00.000000Z"
        assert (feature["dreamId"], feature["provider"], feature["model"]) == group[1:]
        assert (feature["category"], feature["tags"]) == ("MATH", ["a"])
        assert feature["testCount"] == len(members)
        assert feature["completedCount"] == feature["scoredCount"] == len(scores)
        assert near(feature["averageScore"]) == (fmean(scores) if scores else None)
        assert near(feature["bestScore"]) == min(scores, default=None)
        assert near(feature["worstScore"]) == max(scores, default=None)
        assert near(feature["averageDurationMs"]) == (fmean(durations) if durations else None)
        assert feature["averageConfidence"] is None
        assert feature["totalTokens"] == sum(test.tokens_used for test in members)
        assert Decimal(feature["totalCost"]) == sum(test.cost for test in members)


def near(text: str | None) -> Any:
    return None if text is None else pytest.approx(float(text), abs=1e-6)


def test_exports_show_no_field_that_is_hidden_in_rows_of_others() -> None:
    """Such a field needs a guard, as `ownerEmail` has."""
    for type_ in schema._schema.type_map.values():
        fields = getattr(type_, "fields", {})
        hidden = {name for name, each in fields.items() if "others" in metadata_of(each)}
        assert not hidden or type_.name == "User", type_.name
