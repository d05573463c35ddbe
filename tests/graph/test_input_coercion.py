"""Compiled coercion of variables returns what graphql-core returns."""

from random import Random
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    get_named_type,
)
from graphql.utilities import coerce_input_value

from db import Database
from db.users import Role
from graph.core.types.input_coercion import coercion
from graph.schema import schema
from support.factories import make_user
from support.sample_inputs import samples

INPUTS = sorted(
    (t for t in schema._schema.type_map.values() if isinstance(t, GraphQLInputObjectType)),
    key=lambda type_: type_.name,
)
COMPILED = [type_ for type_ in INPUTS if coercion(type_)]
VALUES: list[Any] = [
    *(None, "", "x", "RUNNING", "COMPLETED", "2026-11-20T09:30:00Z", "1.50"),
    *(0, 1, -1, 2**31, 2**70, 1.5, True, [], [1], ["a"], [None], {}, {"a": [1]}, [[]]),
]


def same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and repr(one) == repr(other))


def test_only_types_that_contain_themselves_or_one_of_several_are_left() -> None:
    left = {type_.name: type_ for type_ in INPUTS if type_ not in COMPILED}
    one_of = {name for name, type_ in left.items() if has_one_of(type_)}
    assert one_of == {
        *("AlertWatchInput", "CreateAlertRuleInput", "PreviewAlertRuleInput"),
        "UpdateAlertRuleInput",
    }
    filters = left.keys() - one_of
    assert filters
    assert all(name.endswith("Filter") for name in filters)


def has_one_of(type_: GraphQLInputObjectType) -> bool:
    """True for a type of which one field is given, and for those with a field of such a type."""
    fields = map(get_named_type, (field.type for field in type_.fields.values()))
    return type_.is_one_of or any(getattr(field, "is_one_of", False) for field in fields)


@pytest.mark.parametrize("type_", COMPILED, ids=lambda type_: type_.name)
def test_random_values_are_coerced_alike(type_: GraphQLInputObjectType) -> None:
    random = Random(type_.name)  # noqa: S311  not for secrets
    for wrapped in (type_, GraphQLNonNull(type_), GraphQLList(GraphQLNonNull(type_))):
        coerce = coercion(wrapped)
        assert coerce is not None
        for _ in range(300):
            names = random.sample([*type_.fields, "other"], random.randrange(len(type_.fields) + 1))
            value: Any = {name: random.choice(VALUES) for name in names}
            value = random.choice([value, value, [value], [value, value], random.choice(VALUES)])
            assert same(coerce(value), coerce_input_value(value, wrapped)), value


async def test_valid_inputs_are_coerced_alike(database: Database) -> None:
    user = await make_user(database, role=Role.ADMIN)
    types = {type_.name: type_ for type_ in COMPILED}
    inputs = await samples(database, user)
    found = 0
    for verb, input in inputs.items():
        type_ = types.get(f"{verb[0].upper()}{verb[1:]}Input")
        if type_ is None:
            continue
        coerce = coercion(GraphQLNonNull(type_))
        assert coerce is not None
        made = coerce(input)
        found += made is not Undefined
        assert same(made, coerce_input_value(input, type_))
        for name in input:
            for value in VALUES:
                changed = {**input, name: value}
                assert same(coerce(changed), coerce_input_value(changed, type_)), changed
    assert found > 20
