"""Principals: their permissions, their projections, and the page that lists these."""

import re
from pathlib import Path
from uuid import UUID

import pytest

from db.core.session.audit_context import AuditContext
from db.core.session.row_rules import Visibility
from db.users import Role
from graph.core.permission import (
    ADMIN,
    CLOSED,
    MEMBER,
    OPERATOR,
    PUBLIC,
    Access,
    scope,
)
from graph.core.principal import ANONYMOUS, DEVELOPER, DEVELOPERS, Client, Principal, Rights
from support.principals import KINDS, LIMITED

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.md"
USER, KEY = UUID(int=1), UUID(int=2)
KEY_OF_USER = Principal(USER, Role.OPERATOR, frozenset({"events:read"}), KEY)
KEY_ALONE = Principal(role=Role.OPERATOR, key_id=KEY)
NETWORK = "192.0.2.0/24"


@pytest.mark.parametrize(
    ("principal", "client"),
    [
        (KEY_OF_USER, Client(str(USER), known=True)),
        (KEY_ALONE, Client(str(KEY), known=True)),
        (ANONYMOUS, Client(NETWORK, known=False)),
        (DEVELOPER, DEVELOPERS),
    ],
)
def test_a_client_is_a_user_a_key_or_a_network(principal: Principal, client: Client) -> None:
    assert principal.client(NETWORK) == client


def test_users_own_idempotency_keys_and_keys_without_users_too() -> None:
    assert [KEY_OF_USER.owner, KEY_ALONE.owner] == [str(USER), str(KEY)]


def test_the_audit_log_names_user_and_key() -> None:
    assert KEY_OF_USER.audit_context("editUser", "1") == AuditContext("editUser", "1", USER, KEY)


def test_scopes_limit_the_visible_rows() -> None:
    whole = Principal(USER, Role.ADMIN)

    assert KEY_OF_USER.visibility == Visibility(user_id=USER)
    everything = Visibility(shared=True, tests=True, keys=True, audit=True, user_id=USER)
    assert whole.visibility == everything


def test_rights_are_those_of_every_user_with_the_role_and_scopes() -> None:
    other = Principal(UUID(int=3), Role.OPERATOR, frozenset({"events:read"}))

    assert KEY_OF_USER.rights == other.rights == Rights(Role.OPERATOR, frozenset({"events:read"}))


def test_rows_without_a_user_are_owned_by_no_principal() -> None:
    assert KEY_OF_USER.owns(USER)
    assert not ANONYMOUS.owns(None)


def test_the_document_lists_projections_that_exist() -> None:
    section = DOCUMENT.read_text().split("## One caller")[1].split("\n## ")[0]
    named = set(re.findall(r"`principal\.(\w+)", section))

    assert named == {name for name in vars(Principal) if name in named}
    assert named >= {"may", "visibility", "audit_context", "rights", "owner", "client"}


@pytest.mark.parametrize(
    ("access", "may"),
    [
        (CLOSED, []),
        (PUBLIC, list(KINDS)),
        (MEMBER, ["member", "operator", "admin"]),
        (OPERATOR, ["operator", "admin"]),
        (ADMIN, ["admin"]),
        (scope("models:write"), ["key", "operator", "admin"]),
        (scope("models:write", "dreams:read"), ["key", "operator", "admin"]),
        (
            scope("models:write", role=Role.MEMBER),
            ["key", "weak key", "member", "operator", "admin"],
        ),
        (scope("models:write", role=Role.ADMIN), ["admin"]),
        (scope("dreams:write"), ["operator", "admin"]),
        (Access(scopes=LIMITED), []),
    ],
)
def test_principals_have_the_declared_access(access: Access, may: list[str]) -> None:
    assert [name for name, who in KINDS.items() if who.may(access)] == may


def test_a_scope_that_is_not_registered_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no such scopes"):
        scope("dream:write")


@pytest.mark.parametrize("role", [*Role, None])
def test_a_key_with_the_scope_admin_is_not_limited(role: Role | None) -> None:
    who = Principal(role=role, scopes=frozenset({"admin", "tests:write"}))
    whole = Principal(role=role)
    accesses = (PUBLIC, MEMBER, OPERATOR, ADMIN, CLOSED, scope("models:write"))
    assert [who.may(each) for each in accesses] == [whole.may(each) for each in accesses]
    assert not who.is_scoped
