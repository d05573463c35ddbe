"""The published contract: current, described, declared, and not broken by accident."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
    validate_schema,
)

from graph.core.execution.required_access import undeclared_inputs
from graph.schema import schema

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "schema.graphql"


def ours() -> Iterator[GraphQLNamedType]:
    yield from (type_ for name, type_ in schema._schema.type_map.items() if name[:2] != "__")


def undescribed(type_: GraphQLNamedType) -> Iterator[str]:
    """Everything about a type that a reader of the schema would have to guess."""
    if not type_.description:
        yield type_.name
    if isinstance(type_, GraphQLEnumType):
        yield from (f"{type_.name}.{n}" for n, v in type_.values.items() if not v.description)
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        yield from (f"{type_.name}.{n}" for n, f in type_.fields.items() if not f.description)
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        for name, item in type_.fields.items():
            yield from (
                f"{type_.name}.{name}({n}:)" for n, a in item.args.items() if not a.description
            )


def test_the_schema_is_valid() -> None:
    assert validate_schema(schema._schema) == []


def test_the_published_schema_is_current() -> None:
    assert PUBLISHED.read_text() == schema.as_str() + "\n", "run `make schema`"


def test_everything_is_described() -> None:
    assert [name for type_ in ours() for name in undescribed(type_)] == []


def test_every_field_declares_its_access() -> None:
    assert list(undeclared_inputs(schema._schema)) == []


def test_lists_are_pages_or_bounded() -> None:
    """A list of entities is a connection: nothing hands out a table without an end. Messages of
    subscriptions hold what changed, or few rows that are looked at as a whole."""
    nodes = {t.name for t in ours() if isinstance(t, GraphQLObjectType) and "Node" in names(t)}
    lists = [
        f"{type_.name}.{name}"
        for type_ in ours()
        if isinstance(type_, GraphQLObjectType)
        and not type_.name.endswith("Connection")
        and "Update" not in names(type_)
        for name, item in type_.fields.items()
        if "[" in str(item.type) and str(item.type).strip("[]!") in nodes
    ]

    assert lists == []


def names(type_: GraphQLObjectType) -> set[str]:
    return {interface.name for interface in type_.interfaces}


def test_nothing_breaks_the_clients_of_the_last_release() -> None:
    tag = git("describe", "--tags", "--abbrev=0")
    if not tag:
        pytest.skip("nothing has been released yet: no tag to compare with")

    before = build_schema(git("show", f"{tag}:schema.graphql"))
    changes = find_breaking_changes(before, schema._schema)

    assert [change.description for change in changes] == []


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
