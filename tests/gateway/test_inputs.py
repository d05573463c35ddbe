"""Inputs: an error names the field and the fault."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLList, get_named_type, get_nullable_type

from db import Database
from graph.schema import schema
from support.graphql_client import Endpoint
from support.payloads import ERRORS
from support.sample_inputs import samples

SCHEMA: Any = schema._schema
MUTATIONS = SCHEMA.mutation_type.fields
REFUSED = f"refused {{ {ERRORS} }}"

# What Python prints of values and objects, and clients must never see.
PYTHON = re.compile(
    r"0x[0-9a-f]{6,}|<\w|\bNone\b|\bTrue\b|\bFalse\b|strawberry|asyncpg|sqlalchemy|Traceback"
    r"|Decimal\(|datetime\.|UUID\(|\{'|\['"
)
TEXTS = ["", " ", "\0", "é" * 201, "x" * 501, "x" * 100_001, "'; drop table users; --", "%_\\"]
OTHERS = [None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**30, [], [[]], [None], {}, {"a": 1}]
WORDS = ["NaN", "Infinity", "1E+131072", "noon", "user_" + "0" * 32, "dream_" + "f" * 32, "_"]
STRAYS = [*TEXTS, *OTHERS, *WORDS]


def places(type_: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all fields of an input, those of the first item of its lists too."""
    for name, field in type_.fields.items():
        yield (*path, name)
        named = get_named_type(field.type)
        if isinstance(named, GraphQLInputObjectType):
            item = (0,) if isinstance(get_nullable_type(field.type), GraphQLList) else ()
            yield from places(named, (*path, name, *item))


def put(input: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of an input with another value in one place."""
    changed = json.loads(json.dumps(input))
    place = changed
    for step in path[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    place[path[-1]] = value
    return changed


def input_of(verb: str) -> Any:
    return get_named_type(MUTATIONS[verb].args["input"].type)


def document(verb: str) -> str:
    is_batch = "refused" in get_named_type(MUTATIONS[verb].type).fields
    shown = f"{ERRORS} {REFUSED}" if is_batch else ERRORS
    return (
        f"mutation ($input: {MUTATIONS[verb].args['input'].type})"
        f" {{ answer: {verb}(input: $input) {{ {shown} }} }}"
    )


def messages(content: Any) -> Iterator[str]:
    """Every message in an answer."""
    if isinstance(content, dict):
        yield from (text for name, text in content.items() if name == "message")
        for part in content.values():
            yield from messages(part)
    elif isinstance(content, list):
        for part in content:
            yield from messages(part)


def fields(content: Any) -> Iterator[list[str] | None]:
    """Every field that an answer blames."""
    if isinstance(content, dict):
        yield from (content[name] for name in content if name == "field")
        for part in content.values():
            yield from fields(part)
    elif isinstance(content, list):
        for part in content:
            yield from fields(part)


def is_spelled_as_sent(field: list[str] | None, type_: Any) -> bool:
    """Whether a field is the path of one of an input, or of an item of its batch."""
    if field is None:
        return True
    known = {tuple(step for step in path if step != 0) for path in places(type_)}
    steps = tuple(step for step in field if not step.isdigit())
    return steps in known


@pytest.mark.parametrize("verb", MUTATIONS)
async def test_a_sample_of_a_mutation_is_acceptable(
    database: Database, endpoint: Endpoint, verb: str
) -> None:
    good = await samples(database, endpoint.user)

    answer = await endpoint.answer(document(verb), {"input": good[verb]})

    assert "errors" not in answer, answer
    assert [field for field in fields(answer) if field is not None] == [], answer


@pytest.mark.parametrize("verb", MUTATIONS)
async def test_a_stray_value_is_a_fault_of_the_caller_in_words_of_the_caller(
    database: Database, endpoint: Endpoint, verb: str
) -> None:
    good = (await samples(database, endpoint.user))[verb]

    for path in places(input_of(verb)):
        for stray in STRAYS:
            sent = put(good, path, stray)
            answer = await endpoint.answer(document(verb), {"input": sent})
            for message in messages(answer):
                shown = message.replace(repr(stray), "").replace("'; drop table users; --", "")
                assert not PYTHON.search(shown), (path, stray, message)
            for field in fields(answer):
                assert is_spelled_as_sent(field, input_of(verb)), (path, stray, field)
