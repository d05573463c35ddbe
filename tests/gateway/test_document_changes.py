"""A change of a document is noticed wherever JSON knows a difference, and only there."""

from typing import Any

import pytest

from graph.core.types.node import global_id
from support.exact_numbers import data, read
from support.graphql_client import Endpoint

CHANGES = [
    ("0", "false"),
    ("false", "0"),
    ("1", "true"),
    ("1", "1.0"),
    ("0.1", "0.10"),
    ("null", "false"),
    ('"1"', "1"),
    ('{"a": 1}', '{"a": true}'),
    ('{"a": [{"b": 0}]}', '{"a": [{"b": false}]}'),
    ('{"a": {"b": [1]}}', '{"a": {"b": [1.0]}}'),
    ('{"a": 1}', '{"a": 1, "b": null}'),
    ("[]", "{}"),
    ("12345678901234567890", "12345678901234567891"),
    ("0.1234567890123456789", "0.1234567890123456780"),
]
SAME = [
    ('{"a": 1, "b": [0.10]}', '{"b": [0.10], "a": 1}'),
    ("1e2", "100"),
    ("-0", "0"),
    ("1e-7", "0.0000001"),
]
SET = """mutation ($value: JSON) { setConfig(input: {key: "k", value: $value}) {
    configEntry { value version } } }"""


async def set_config(endpoint: Endpoint, value: str) -> Any:
    return (await data(endpoint, SET, f'{{"value": {value}}}'))["setConfig"]["configEntry"]


@pytest.mark.parametrize(("before", "after"), CHANGES)
async def test_set_config_stores_another_value(endpoint: Endpoint, before: str, after: str) -> None:
    await set_config(endpoint, before)
    changed = await set_config(endpoint, after)
    assert changed == read(f'{{"value": {after}, "version": 2}}')


@pytest.mark.parametrize(("before", "after"), SAME)
async def test_set_config_leaves_the_same_value_alone(
    endpoint: Endpoint, before: str, after: str
) -> None:
    first = await set_config(endpoint, before)
    assert await set_config(endpoint, after) == first
    assert first["version"] == read("1")


async def test_metadata_and_preferences_are_changed_alike(endpoint: Endpoint) -> None:
    metadata = f"""mutation ($value: JSON) {{ answer: editUser(
        input: {{id: "{global_id(endpoint.user)}", metadata: {{n: $value}}}}
    ) {{ user {{ shown: metadata }} }} }}"""
    preferences = """mutation ($value: JSON) { answer: setPreferences(
        input: {preferences: {n: $value}}) { user { shown: preferences } } }"""

    for mutation in (metadata, preferences):
        for before, after in CHANGES:
            await data(endpoint, mutation, f'{{"value": {before}}}')
            changed = await data(endpoint, mutation, f'{{"value": {after}}}')
            assert changed["answer"]["user"]["shown"] == read(f'{{"n": {after}}}')
