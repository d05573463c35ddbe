"""The published contract: current, described, declared, and not broken by accident."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_non_null_type,
    validate_schema,
)

from gateway.cli.schema_changes import Version, compare, releases
from graph.core.execution.required_access import undeclared_inputs
from graph.schema import schema

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "schema.graphql"
RELEASES = ROOT / "releases"


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
    subscriptions hold what changed, or few rows that are looked at as a whole; payloads hold the
    rows of their input."""
    nodes = {t.name for t in ours() if isinstance(t, GraphQLObjectType) and "Node" in names(t)}
    lists = [
        f"{type_.name}.{name}"
        for type_ in ours()
        if isinstance(type_, GraphQLObjectType)
        and not type_.name.endswith("Connection")
        and not type_.name.endswith("Payload")
        and "Update" not in names(type_)
        for name, item in type_.fields.items()
        if "[" in str(item.type) and str(item.type).strip("[]!") in nodes
    ]

    assert lists == []


def test_no_type_is_named_as_a_global_of_browsers() -> None:
    """Generated code would hide it. Specifications require `Node`, and `JSON` is a scalar."""
    of_browsers = {"Error", "Event", "Notification", "Map", "Set", "Date", "Object", "Request"}
    of_browsers |= {"Response", "Document", "Element", "Text", "Range", "Selection", "Location"}

    assert of_browsers & {type_.name for type_ in ours()} == set()


def test_every_mutation_has_a_payload_of_its_own() -> None:
    """Named after it, with the errors that all have. What it shows besides is null or an empty list
    if it failed, so that a failure leaves nothing out of its place."""
    mutations: Any = schema._schema.mutation_type
    for name, item in mutations.fields.items():
        payload: Any = get_named_type(item.type)
        assert str(item.type) == f"{name[0].upper()}{name[1:]}Payload!"
        assert payload.description == f"The payload of `{name}`."
        *shown, (last, errors) = payload.fields.items()
        assert (last, str(errors.type)) == ("errors", "[UserError!]!")
        assert shown
        required = [key for key, part in shown if is_non_null_type(part.type)]
        is_batch = "refused" in payload.fields
        lists = {key for key, part in shown if str(part.type).startswith("[")}
        assert set(required) <= lists | ({"storedCount"} if is_batch else set()), name


def test_deletions_show_the_id_of_what_was_deleted() -> None:
    mutations: Any = schema._schema.mutation_type
    for name, item in mutations.fields.items():
        payload: Any = get_named_type(item.type)
        deleted = name.removeprefix("delete")
        is_shown = str(payload.fields.get(f"deleted{deleted}Id", item).type) == "ID"
        assert is_shown == name.startswith("delete"), name


def names(type_: GraphQLObjectType) -> set[str]:
    return {interface.name for interface in type_.interfaces}


def test_nothing_breaks_the_clients_of_the_last_release() -> None:
    shown = compare(RELEASES, schema._schema)

    assert shown == f"No client of {newest_release()}.graphql breaks."


def test_the_newest_release_is_in_the_changelog_and_not_newer_than_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = newest_release()

    assert re.search(rf"^## {re.escape(newest)} ", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert Version.parse(newest) <= Version.parse(project["version"])


def newest_release() -> str:
    return next(reversed(releases(RELEASES).values())).stem
