"""Attacks with values that are large to store: texts, lists and documents have bounds.

So has what the gateway makes of them.
"""

from typing import Any

import pytest

from db import progress
from support.attack_target import Target
from support.factories import make_dream

DREAM = {"title": "t", "category": "OTHER"}
CREATE = "mutation ($input: CreateDreamInput!) { createDream(input: $input) %s }"
KEY = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) %s }"
SET = "mutation ($input: SetConfigInput!) { setConfig(input: $input) %s }"
RECORD = "mutation ($input: RecordAiTestInput!) { recordAiTest(input: $input) %s }"
FAULTS = "{ errors { field message } }"
NESTED: dict[str, Any] = {}
for _ in range(40):
    NESTED = {"a": NESTED}


async def refused(target: Target, key: str, document: str, given: Any) -> str | None:
    """The first field that is refused, or why an operation is refused as a whole."""
    answer = (await target.post(document % FAULTS, key, input=given)).json()
    if "errors" in answer:
        code: str = answer["errors"][0]["extensions"]["code"]
        return code
    (result,) = answer["data"].values()
    return ".".join(result["errors"][0]["field"]) if result["errors"] else None


LARGE: list[tuple[str, dict[str, Any], str]] = [
    (CREATE, DREAM | {"tags": ["x" * 38_000] * 50}, "tags.0"),
    (CREATE, DREAM | {"tags": ["x"] * 51}, "tags"),
    (CREATE, DREAM | {"title": "x" * 201}, "title"),
    (CREATE, DREAM | {"description": "x" * 100_001}, "description"),
    (CREATE, DREAM | {"originalPrompt": "x" * 100_001}, "originalPrompt"),
    (CREATE, DREAM | {"idempotencyKey": "x" * 201}, "idempotencyKey"),
    (KEY, {"service": "x" * 1_900_000}, "service"),
    (KEY, {"service": "s", "scopes": ["dreams:read"] * 51}, "scopes"),
    (SET, {"key": "k", "value": "x" * 64_001}, "value"),
    (SET, {"key": "k", "value": NESTED}, "BAD_USER_INPUT"),
    (SET, {"key": "x" * 101, "value": 1}, "key"),
    (SET, {"key": "k", "value": 1, "description": "x" * 2_001}, "description"),
]


@pytest.mark.parametrize(("document", "given", "field"), LARGE)
async def test_large_values_are_refused_by_name(
    target: Target, document: str, given: dict[str, Any], field: str
) -> None:
    admin = await target.key_of("ADMIN")
    assert await refused(target, admin, document, given) == field
    assert await target.ask("{ dreams { totalCount } configs { totalCount } }", admin) == {
        "dreams": {"totalCount": 0},
        "configs": {"totalCount": 0},
    }


async def test_the_models_of_a_dream_are_bounded(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each log of its progress names all of them."""
    monkeypatch.setattr(progress, "MAX_MODELS", 3)
    await make_dream(target.database, is_public=True)
    admin = await target.key_of("ADMIN")
    (node,) = (await target.ask("{ dreams { nodes { id } } }", admin))["dreams"]["nodes"]
    given = {"dreamId": node["id"], "provider": "p", "impossibilityScore": 50}

    named = [f"model {number}" for number in range(4)]
    found = [await refused(target, admin, RECORD, given | {"model": name}) for name in named]
    again = await refused(target, admin, RECORD, given | {"model": named[0]})

    assert found == [None, None, None, "model"]
    assert again is None
    logs = await target.ask("{ progressLogs { nodes { activeModels } } }", admin)
    assert max(len(log["activeModels"]) for log in logs["progressLogs"]["nodes"]) == 3
