"""The registry of scopes, the accesses that name them, and docs/identity.md agree.

`make golden` writes the table of the document anew.
"""

import os
import re
from pathlib import Path

import pytest
from graphql import GraphQLObjectType

from db.scopes import SCOPES, WHOLE, Scope, beyond, limits
from db.users import RANKS, Role
from graph.core.permission import ALL_DREAMS, INTROSPECTION, Access, access_of_field
from graph.schema import schema

DOCUMENT = Path(__file__).parents[1] / "docs" / "identity.md"
TABLE = re.compile(r"\| scope \| least role \| allows \|\n(?:\|.*\n)+")


def accesses() -> set[Access]:
    """Every access that a field of the schema declares, and those that no field does."""
    found = {INTROSPECTION, ALL_DREAMS}
    for type_ in schema._schema.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            found |= {access_of_field(type_, field) or Access() for field in type_.fields.values()}
    return found


def row(name: str, scope: Scope) -> str:
    return f"| `{name}` | {scope.role} | {scope.allows} |\n"


def test_the_document_lists_every_scope() -> None:
    rows = "".join(row(*item) for item in SCOPES.items())
    table = f"| scope | least role | allows |\n|---|---|---|\n{rows}"
    if os.environ.get("WRITE_GOLDEN"):
        DOCUMENT.write_text(TABLE.sub(lambda _: table, DOCUMENT.read_text()))

    assert TABLE.findall(DOCUMENT.read_text()) == [table]


@pytest.mark.parametrize("name", [name for name in SCOPES if name != WHOLE])
def test_a_scope_allows_something_to_its_least_role(name: str) -> None:
    roles = {access.role for access in accesses() if name in access.scopes and access.role}
    least = min(roles, key=RANKS.__getitem__)

    # `dreams:read` is no access of a field: it adds rows to those that every key reads.
    assert SCOPES[name].role == (Role.MEMBER if name == "dreams:read" else least)


@pytest.mark.parametrize("scopes", [(), (WHOLE,), (WHOLE, "tests:read")])
def test_a_key_may_be_whole(scopes: tuple[str, ...]) -> None:
    assert not limits(scopes)


def test_scopes_are_of_use_from_a_role_on() -> None:
    every = list(SCOPES)
    assert "agents:read" in beyond(Role.MEMBER, every)
    assert "tests:write" not in beyond(Role.MEMBER, every)
    assert beyond(Role.OPERATOR, every) == beyond(Role.ADMIN, every) == []
    assert beyond(Role.MEMBER, ["of:another:version"]) == []
