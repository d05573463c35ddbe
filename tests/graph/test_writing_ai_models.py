"""AI models are registered and priced by operators and keys that may."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from db import Database
from db.ai_models import AiModel
from db.audit import AuditEntry, Change
from db.users import Role
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.factories import make_ai_model
from support.mutations import Run, outcome, stored
from support.payloads import ERRORS
from support.principals import with_scopes
from support.query_count import statements

TOKENS = "This must be a number from 0 to 1,000,000,000,000."
KEY = with_scopes("models:write")
SHOWN = f"""aiModel {{
    provider name displayName maxTokens isActive capabilities
    costPer1kTokens inputCostPer1kTokens outputCostPer1kTokens
  }}
  {ERRORS}"""


async def write(run: Run, verb: str, kind: str, input: dict[str, Any]) -> dict[str, Any]:
    return await outcome(run, verb, input, KEY, SHOWN, kind)


async def register(run: Run, **input: Any) -> dict[str, Any]:
    of = {"provider": "openai", "name": "gpt-5"}
    return await write(run, "createAiModel", "CreateAiModelInput", {**of, **input})


async def test_a_model_is_registered_with_its_trace(database: Database, run: Run) -> None:
    prices = {"inputCostPer1kTokens": "0.01", "outputCostPer1kTokens": "0.03"}
    with statements(database, exactly=2):
        answer = await register(run, maxTokens=4096, capabilities=["VISION"], **prices)

    [model] = await stored(database, AiModel)
    [entry] = await stored(database, AuditEntry)
    [change] = await stored(database, Change)
    assert answer == {
        "provider": "openai",
        "name": "gpt-5",
        "displayName": "gpt-5",
        "maxTokens": "4096",
        "isActive": True,
        "capabilities": ["VISION"],
        "costPer1kTokens": "0.020000",
        **prices,
    }
    assert (entry.operation, entry.entity_id) == ("createAiModel", model.id)
    assert (change.noun, change.entity_id, change.kind) == ("ai_models", model.id, "CREATED")


async def test_a_price_that_is_given_is_no_mean(run: Run) -> None:
    answer = await register(
        run, costPer1kTokens="0.5", inputCostPer1kTokens="0.1", outputCostPer1kTokens="0.3"
    )
    unknown = await register(run, name="other", displayName="Other", inputCostPer1kTokens="0.1")

    assert answer["costPer1kTokens"] == "0.500000"
    assert (unknown["costPer1kTokens"], unknown["displayName"]) == (None, "Other")


@pytest.mark.parametrize(
    ("input", "field", "message"),
    [
        (
            {"provider": "Open AI"},
            "provider",
            "A provider must be in lower case, like `openai`.",
        ),
        ({"name": ""}, "name", "This text must have 1 to 200 characters."),
        ({"displayName": ""}, "displayName", "This text must have 1 to 200 characters."),
        ({"maxTokens": -1}, "maxTokens", TOKENS),
        ({"maxTokens": 10**12 + 1}, "maxTokens", TOKENS),
        ({"capabilities": ["x"] * 51}, "capabilities", "At most 50 are allowed."),
        ({"capabilities": [""]}, "capabilities.0", "This text must have 1 to 200 characters."),
        (
            {"costPer1kTokens": "-1"},
            "costPer1kTokens",
            "This must be a number from 0 to 9,999.",
        ),
        (
            {"inputCostPer1kTokens": "10000"},
            "inputCostPer1kTokens",
            "This must be a number from 0 to 9,999.",
        ),
    ],
)
async def test_faults_are_named(
    database: Database, run: Run, input: Any, field: str, message: str
) -> None:
    answer = await register(run, **input)

    wrong = {"code": "INVALID", "message": message, "field": field}
    assert answer == wrong
    assert await stored(database, AiModel) == []


async def test_a_model_is_registered_once(database: Database, run: Run) -> None:
    first = await register(run, idempotencyKey="once")
    again = await register(run, idempotencyKey="once")
    other = await register(run, idempotencyKey="once", maxTokens=1)
    without = await register(run)

    assert first == again
    assert (other["code"], without["code"]) == ("CONFLICT", "CONFLICT")
    assert without["message"] == "There is already one with this provider and name."
    assert len(await stored(database, AiModel)) == len(await stored(database, Change)) == 1


async def test_a_model_is_repriced(database: Database, run: Run) -> None:
    model = await make_ai_model(database)
    id = {"id": global_id(model)}

    mean = await write(
        run, "repriceAiModel", "RepriceAiModelInput", {**id, "outputCostPer1kTokens": "0.05"}
    )
    unknown = await write(
        run, "repriceAiModel", "RepriceAiModelInput", {**id, "costPer1kTokens": None}
    )

    [first, second] = await stored(database, AuditEntry)
    assert (mean["costPer1kTokens"], mean["inputCostPer1kTokens"]) == ("0.030000", "0.01")
    assert unknown["costPer1kTokens"] is None
    assert Decimal(first.before["cost_per_1k_tokens"]) == Decimal("0.02")
    assert Decimal(first.after["cost_per_1k_tokens"]) == Decimal("0.03")
    assert second.after["cost_per_1k_tokens"] is None


async def test_a_model_is_retired_and_revived(database: Database, run: Run) -> None:
    id = {"id": global_id(await make_ai_model(database))}

    retired = await write(run, "retireAiModel", "AiModelInput", id)
    again = await write(run, "retireAiModel", "AiModelInput", id)
    revived = await write(run, "reviveAiModel", "AiModelInput", id)

    actives = [answer["isActive"] for answer in (retired, again, revived)]
    assert actives == [False, False, True]
    assert len(await stored(database, Change)) == 2


async def test_a_model_that_is_not_there(run: Run) -> None:
    answer = await write(run, "retireAiModel", "AiModelInput", {"id": "ai_model_" + "0" * 32})

    assert answer["code"] == "NOT_FOUND"


async def test_members_have_models_only_to_read(run: Run) -> None:
    document = """mutation {
        retireAiModel(input: {id: "x"}) { __typename }
    }"""
    answer = await run(document, who=Principal(role=Role.MEMBER))

    assert [error["extensions"]["code"] for error in answer.errors] == ["FORBIDDEN"]


async def test_a_model_is_edited_once_per_version(database: Database, run: Run) -> None:
    model = await make_ai_model(database, display_name="Old", max_tokens=10)
    edits = [
        {"id": global_id(model), "expectedVersion": 1, "displayName": name, "maxTokens": None}
        for name in ("one", "two")
    ]

    answers = await asyncio.gather(
        *(write(run, "editAiModel", "EditAiModelInput", edit) for edit in edits)
    )
    priced = {"id": global_id(model), "expectedVersion": 1, "costPer1kTokens": "1"}
    late = await write(run, "repriceAiModel", "RepriceAiModelInput", priced)

    [edited] = await stored(database, AiModel)
    [entry] = await stored(database, AuditEntry)
    by_code = {answer.get("code"): answer for answer in answers}
    assert set(by_code) == {None, "CONFLICT"}
    assert by_code[None]["displayName"] == edited.display_name
    assert (by_code[None]["maxTokens"], edited.version) == (None, 2)
    message = "The current version is 2. Read it again before retrying."
    assert by_code["CONFLICT"] == late == {"code": "CONFLICT", "message": message}
    assert entry.operation == "editAiModel"


async def test_an_edit_names_what_is_wrong_and_keeps_the_rest(database: Database, run: Run) -> None:
    model = await make_ai_model(database, display_name="Old", capabilities=["VISION"])
    id = {"id": global_id(model)}

    wrong = await write(run, "editAiModel", "EditAiModelInput", {**id, "displayName": ""})
    right = await write(run, "editAiModel", "EditAiModelInput", {**id, "maxTokens": "7"})

    assert wrong["field"] == "displayName"
    assert (right["displayName"], right["capabilities"]) == ("Old", ["VISION"])
    assert right["maxTokens"] == "7"
