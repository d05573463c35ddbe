"""Audit context: the operation and the actor that audit entries name."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AuditContext:
    """One operation of one caller; without an actor, of the system itself."""

    operation: str
    request_id: str | None = None
    actor: UUID | None = None
    key_id: UUID | None = None


SYSTEM = AuditContext("system")
