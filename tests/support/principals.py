"""Principals: as authentication makes them of a user or a key (tests/gateway/test_auth_keys.py)."""

from typing import Any
from uuid import UUID

from db.users import Role
from graph.core.principal import ANONYMOUS, Principal

LIMITED = frozenset({"models:write"})
MEMBERS = Principal(role=Role.MEMBER)
OPERATORS = Principal(role=Role.OPERATOR)
ADMINS = Principal(role=Role.ADMIN)
KEY = Principal(role=Role.OPERATOR, scopes=LIMITED, key_id=UUID(int=1))
WEAK_KEY = Principal(role=Role.MEMBER, scopes=LIMITED, key_id=UUID(int=1))
KINDS = {
    "anonymous": ANONYMOUS,
    "key": KEY,
    "weak key": WEAK_KEY,
    "member": MEMBERS,
    "operator": OPERATORS,
    "admin": ADMINS,
}


def signed_in(user: Any) -> Principal:
    """The principal of a user's token, or of a key without scopes."""
    return Principal(user.id, Role(user.role))


def with_scopes(*scopes: str, role: Role = Role.OPERATOR) -> Principal:
    """The principal of a key with scopes."""
    return Principal(role=role, scopes=frozenset(scopes))
