"""Scopes: the limits that an API key may have, all declared here once.

The rights of a key with scopes are those of its user at that moment, limited to the scopes. So a
scope has no effect below its `role`, and may allow more with a higher one.
"""

from collections.abc import Collection
from typing import NamedTuple

from db.users import RANKS, Role

WHOLE = "admin"  # a key with this scope, like one without scopes, is not limited


class Scope(NamedTuple):
    """The lowest role for which a scope has an effect, and a description of its rights."""

    role: Role
    allows: str


SCOPES = {
    WHOLE: Scope(Role.MEMBER, "Everything its user may do, as a key without scopes."),
    "schema:read": Scope(Role.MEMBER, "Introspect the schema."),
    "dreams:read": Scope(
        Role.MEMBER,
        "See every dream, with its tests and progress, that its user may see. Keys without it see "
        "public dreams and those of their user.",
    ),
    "dreams:write": Scope(
        Role.MEMBER,
        "Create, edit, publish and delete dreams of its user; for administrators also those of "
        "others.",
    ),
    "tests:read": Scope(Role.MEMBER, "Read AI tests."),
    "tests:write": Scope(
        Role.MEMBER,
        "Start, complete and record AI tests of dreams of its user; for administrators also of "
        "those of others.",
    ),
    "tests:work": Scope(
        Role.MEMBER,
        "Claim waiting AI tests of dreams of its user, and complete, fail or release them; for "
        "operators also of all other dreams that it sees.",
    ),
    "users:read": Scope(
        Role.MEMBER,
        "Read users, such as owners of dreams; for operators also their addresses and the list.",
    ),
    "users:write": Scope(
        Role.MEMBER,
        "Change its user and its user's preferences; for operators also create and change others.",
    ),
    "notifications:read": Scope(Role.MEMBER, "Read the notifications of its user."),
    "notifications:write": Scope(Role.MEMBER, "Mark the notifications of its user as read."),
    "notifications:send": Scope(Role.OPERATOR, "Send notifications to users."),
    "events:read": Scope(Role.OPERATOR, "Read and count system events."),
    "events:write": Scope(
        Role.MEMBER,
        "Track actions of its user; for operators also of others, and log system events.",
    ),
    "actions:read": Scope(Role.OPERATOR, "Read and count actions of users."),
    "agents:read": Scope(Role.OPERATOR, "Read agents and their reports."),
    "agents:write": Scope(Role.OPERATOR, "Report the status of agents, and delete agents."),
    "metrics:read": Scope(Role.OPERATOR, "Read and summarize metrics."),
    "metrics:write": Scope(Role.OPERATOR, "Record metrics."),
    "alerts:read": Scope(
        Role.MEMBER, "Read alerts about its user; for operators all alerts and their rules."
    ),
    "alerts:write": Scope(
        Role.MEMBER,
        "Read an alert about its user by its ID; for operators: create, preview, change and delete "
        "alert rules, and acknowledge alerts. Rules show spend, metrics, events and agents.",
    ),
    "models:write": Scope(Role.OPERATOR, "Create, edit, reprice, retire and revive AI models."),
    "config:read": Scope(Role.OPERATOR, "Read settings and feature flags."),
    "config:write": Scope(Role.OPERATOR, "Change settings and feature flags."),
    "audit:read": Scope(
        Role.MEMBER,
        "Read what its user changed, in the audit log; for administrators all of it.",
    ),
    "kpis:read": Scope(Role.OPERATOR, "Read business figures: dreams, tests and users over time."),
    "usage:read": Scope(Role.OPERATOR, "Read the size and health of the database."),
}


def limits(scopes: Collection[str]) -> bool:
    return bool(scopes) and WHOLE not in scopes


def beyond(role: Role, scopes: Collection[str]) -> list[str]:
    """The scopes that have no effect for a role. Scopes unknown to this version are left out."""
    return [name for name in scopes if name in SCOPES and RANKS[role] < RANKS[SCOPES[name].role]]
