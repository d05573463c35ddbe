"""Every field of the schema, asked for by everybody: answered or refused as it declares.

Who may read what is also kept in `permissions.txt`, so that a change of it is seen in review;
`make golden` writes it anew.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)

from db import Database
from db.users import Role
from graph.core.context import Context
from graph.core.operation import Answer, execute, open_stream, prepare
from graph.core.permission import ANONYMOUS, Access, Principal, access_of_field
from graph.schema import schema

HERE = Path(__file__).parent
TYPES = schema._schema.type_map
SOMEBODY = UUID(int=1)
WHO = {
    "anonymous": ANONYMOUS,
    "member": Principal(user_id=SOMEBODY, role=Role.MEMBER),
    "agent key": Principal(role=Role.OPERATOR, scopes=frozenset({"agents:write"}), key_id=SOMEBODY),
    "reading key": Principal(
        role=Role.OPERATOR, scopes=frozenset({"events:read"}), key_id=SOMEBODY
    ),
    "operator": Principal(user_id=SOMEBODY, role=Role.OPERATOR),
    "admin": Principal(user_id=SOMEBODY, role=Role.ADMIN),
}
ROOTS = ("Query", "Mutation", "Subscription")
REFUSALS = {"FORBIDDEN", "UNAUTHENTICATED"}


def fields() -> Iterator[tuple[str, str]]:
    for name, type_ in sorted(TYPES.items()):
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__"):
            yield from ((name, field) for field in type_.fields)


def declared(type_name: str, field_name: str) -> Access:
    type_: Any = TYPES[type_name]
    access = access_of_field(type_, type_.fields[field_name])
    assert access is not None, f"{type_name}.{field_name} declares no access"
    return access


def example(type_: Any) -> str:
    """A literal that a type accepts."""
    if isinstance(type_, GraphQLNonNull):
        return example(type_.of_type)
    if isinstance(type_, GraphQLList):
        return "[]"
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        required = {n: f for n, f in type_.fields.items() if isinstance(f.type, GraphQLNonNull)}
        return "{" + " ".join(f"{n}: {example(f.type)}" for n, f in required.items()) + "}"
    literals = {"Int": "1", "Float": "1", "Boolean": "true", "BigInt": "1", "JSON": "{}"}
    return literals.get(type_.name, '"2026-01-01T00:00:00Z"')


def asked(name: str, field: GraphQLField) -> str:
    """A field with the arguments that it cannot do without."""
    required = [
        f"{n}: {example(a.type)}"
        for n, a in field.args.items()
        if isinstance(a.type, GraphQLNonNull) and not a.default
    ]
    return f"{name}({', '.join(required)})" if required else name


def leaves(type_: Any) -> str:
    """The least that can be selected of a type."""
    return " { __typename }" if is_composite_type(get_named_type(type_)) else ""


@cache
def ways() -> dict[str, tuple[tuple[str, str], ...]]:
    """For each type the shortest way to it from a root, as fields on the way."""
    found: dict[str, tuple[tuple[str, str], ...]] = dict.fromkeys(ROOTS, ())
    waiting = list(found)
    while waiting:
        name = waiting.pop(0)
        for step, field in TYPES[name].fields.items():
            named = get_named_type(field.type)
            for target in () if is_leaf_type(named) else possible(named):
                if target not in found:
                    found[target] = (*found[name], (name, step))
                    waiting.append(target)
    return found


def possible(type_: Any) -> list[str]:
    if isinstance(type_, GraphQLObjectType):
        return [type_.name]
    return [member.name for member in schema._schema.get_possible_types(type_)]


def document(type_name: str, field_name: str) -> str:
    """An operation that selects one field of a type, by the shortest way."""
    type_: Any = TYPES[type_name]
    way, field = ways()[type_name], type_.fields[field_name]
    text = f"... on {type_name} {{ {asked(field_name, field)}{leaves(field.type)} }}"
    for parent, step in reversed(way):
        step_field = TYPES[parent].fields[step]
        text = f"... on {parent} {{ {asked(step, step_field)} {{ {text} }} }}"
    root = way[0][0] if way else type_name
    return f"{root.lower()} {{ {text} }}"


@pytest.mark.parametrize(("type_name", "field_name"), list(fields()))
async def test_a_field_answers_whom_it_declares(type_name: str, field_name: str) -> None:
    operation = prepare(schema, document(type_name, field_name))
    begin = open_stream if operation.kind == "subscription" else execute
    accesses = [declared(*step) for step in (*ways()[type_name], (type_name, field_name))]
    unreachable = Database("postgresql:///?host=/nowhere")

    for name, who in WHO.items():
        answer = await begin(operation, None, Context(unreachable, who, "test-request"))

        errors = answer.errors if isinstance(answer, Answer) else []  # or it is a stream
        codes = {error["extensions"]["code"] for error in errors}
        may = all(who.may(access) for access in accesses)
        assert bool(codes & REFUSALS) is not may, f"{name} asks for {type_name}.{field_name}"

    await unreachable.close()


def test_who_may_read_what_is_on_file() -> None:
    lines = [f"{type_}.{field}: {shown(declared(type_, field))}\n" for type_, field in fields()]
    file = HERE / "permissions.txt"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text("".join(lines))

    assert file.read_text() == "".join(lines)


def shown(access: Access) -> str:
    return "everybody" if access.public else str(access)
