"""Acts: what is being done and by whom, for the trace that every write leaves."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AuditContext:
    """One operation of one caller; the system itself acts without an actor."""

    operation: str
    request_id: str | None = None
    actor: UUID | None = None
    key_id: UUID | None = None


SYSTEM = AuditContext("system")
