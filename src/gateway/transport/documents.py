"""Documents: the texts of persisted documents, by identifier.

Clients may register documents by their SHA-256 (Apollo's automatic persisted queries), unless a
list of trusted documents is set; then no others are executed. Source: GraphQL over HTTP, appendix
Persisted Documents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from db.core.cache import Cache
from db.core.error_codes import ErrorCode
from gateway.document_manifest import digest
from gateway.errors import HttpError
from gateway.transport.params import GraphQLParams
from graph.core.execution.operation import InvalidOperation
from graph.core.principal import Client
from graph.core.types.errors import coded

KEPT_BYTES = 8 * 1024 * 1024  # of registered documents
KEPT_BYTES_ANONYMOUS = 1024 * 1024  # of those of anonymous clients
FIXED_BYTES = 200  # of each
NOT_FOUND = "PersistedQueryNotFound"  # clients compare this message
NOT_TRUSTED = (
    "Only documents in the list of trusted documents are executed: send the `documentId` of one."
)
OTHER_HASH = "`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query`."


class Documents(Protocol):
    """Documents that clients may name."""

    def resolve(self, params: GraphQLParams) -> GraphQLParams:
        """Parameters with the text of their document. Raises HttpError, InvalidOperation."""

    def keep(self, params: GraphQLParams, client: Client) -> None:
        """Keep the text of a valid document that the client registers."""


class TrustedDocuments:
    """The documents of a list, and no others."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def resolve(self, params: GraphQLParams) -> GraphQLParams:
        if params.registers:
            _check_hash(params)
        id = params.document_id if params.query == "" else digest(params.query)
        if (text := self.texts.get(id or "")) is not None:
            return replace(params, query=text, document_id=None)
        raise HttpError(NOT_TRUSTED, 403) if params.query else _not_found()

    def keep(self, params: GraphQLParams, client: Client) -> None:
        """Nothing is registered."""


def _cache(size: int) -> Cache[str, str]:
    return Cache(size, lambda text: FIXED_BYTES + len(text.encode()))


@dataclass(frozen=True, slots=True)
class RegisteredDocuments:
    """The documents that clients registered, as many as fit; those of anonymous clients do not
    replace others."""

    known: Cache[str, str] = field(default_factory=lambda: _cache(KEPT_BYTES))
    anonymous: Cache[str, str] = field(default_factory=lambda: _cache(KEPT_BYTES_ANONYMOUS))

    def resolve(self, params: GraphQLParams) -> GraphQLParams:
        if params.registers:
            _check_hash(params)
        if params.document_id is None or params.query:
            return params
        text = self.known.known(params.document_id) or self.anonymous.known(params.document_id)
        if text is None:
            raise _not_found()
        return replace(params, query=text, document_id=None)

    def keep(self, params: GraphQLParams, client: Client) -> None:
        if params.registers and params.document_id is not None:
            kept = self.known if client.known else self.anonymous
            kept[params.document_id] = params.query


def _check_hash(params: GraphQLParams) -> None:
    if digest(params.query) != params.document_id:
        raise HttpError(OTHER_HASH)


def _not_found() -> InvalidOperation:
    return InvalidOperation(coded(NOT_FOUND, ErrorCode.PERSISTED_QUERY_NOT_FOUND))
