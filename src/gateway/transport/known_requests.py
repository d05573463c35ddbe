"""Known requests: small ones that are sent again byte for byte are not read again.

What is found by parsing a body, and by coercing and checking its variables, is kept when the body
arrives the second time: for each kind of caller, and as long as the operation is.
"""

from dataclasses import dataclass
from weakref import ReferenceType, ref

from gateway.errors import HttpError
from gateway.transport import params as parameters
from gateway.transport.admission import SHORT
from gateway.transport.executor import Executor
from gateway.transport.params import GraphQLParams
from graph.core.execution.operation import InvalidOperation, Operation
from graph.core.execution.plan.ingested import SingleItem, single_item
from graph.core.execution.plan.shared import Group, group_of
from graph.core.execution.preconditions import Checked, checked
from graph.core.principal import Principal

MAX_REQUESTS = 2_000  # that are kept
MAX_SEEN = 4_000  # whose hashes are kept
LONGEST_BODY = 2 * 1024  # bytes of a body that is kept


@dataclass(frozen=True, slots=True, weakref_slot=True)
class KnownRequest:
    """A request for an operation that was prepared before. `checked` is None if it has errors or is
    large, `group` if its query is not executed with others, and `item` if it stores not one."""

    params: GraphQLParams
    operation: Operation
    checked: Checked | None
    group: Group | None = None
    item: SingleItem | None = None

    @property
    def is_kept(self) -> bool:
        """True if it saves work to know what the request means."""
        return self.group is not None or (self.item is not None and self.item.template is not None)


class KnownRequests:
    """The requests of callers, by kind of caller and body."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.known: dict[tuple[str, bytes], ReferenceType[KnownRequest]] = {}
        self.seen: set[int] = set()  # hashes of requests that arrived once

    def read(self, body: bytes, principal: Principal) -> KnownRequest | None:
        """None if a body is invalid, or its operation was not prepared before."""
        key = principal.kind, body
        reference = self.known.get(key)
        known = reference() if reference is not None else None
        if known is None:
            known = self._read(body, principal)
            if known is not None and known.is_kept and self._is_repeated(key):
                self._keep(key, known)
        return known

    def _is_repeated(self, key: tuple[str, bytes]) -> bool:
        """True for a short request that arrived before, not long ago."""
        if len(key[1]) > LONGEST_BODY:
            return False
        digest = hash(key)
        if digest in self.seen:
            return True
        if len(self.seen) >= MAX_SEEN:
            self.seen.clear()
        self.seen.add(digest)
        return False

    def _read(self, body: bytes, principal: Principal) -> KnownRequest | None:
        try:
            sent = parameters.from_body(body, self.executor.max_values(principal))
            params = self.executor.documents.resolve(sent)
        except (HttpError, InvalidOperation):
            return None
        if params.registers or (operation := self.executor.known(params)) is None:
            return None
        if len(body) - len(sent.query) > SHORT or not self.executor.has_plans:
            return KnownRequest(params, operation, None)
        accepted = checked(operation, params.variables, principal)
        if accepted is None:
            return KnownRequest(params, operation, None)
        if operation.kind == "mutation":
            item = single_item(operation, accepted.variables)
            return KnownRequest(params, operation, accepted, item=item)
        return KnownRequest(params, operation, accepted, group_of(operation, accepted.variables))

    def _keep(self, key: tuple[str, bytes], request: KnownRequest) -> None:
        if len(self.known) >= MAX_REQUESTS:
            for each in filter(None, (reference() for reference in self.known.values())):
                each.operation.kept.clear()
            self.known.clear()
        request.operation.kept.append(request)
        self.known[key] = ref(request)
