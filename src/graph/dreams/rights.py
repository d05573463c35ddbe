"""Rights: who may change a dream, and who may test it."""

from uuid import UUID

from db.users import Role
from graph.core.permission import scope
from graph.core.principal import Principal

WRITE = scope("dreams:write", role=Role.MEMBER)
WRITE_ALL = scope("dreams:write", role=Role.ADMIN)
TEST = scope("tests:write", role=Role.MEMBER)
TEST_ALL = scope("tests:write", role=Role.ADMIN)


def may_change(principal: Principal, owner_id: UUID | None) -> bool:
    own = principal.may(WRITE) and principal.owns(owner_id)
    return own or principal.may(WRITE_ALL)


def may_test(principal: Principal, owner_id: UUID | None) -> bool:
    own = principal.may(TEST) and principal.owns(owner_id)
    return own or principal.may(TEST_ALL)
