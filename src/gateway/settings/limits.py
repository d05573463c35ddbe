"""Limit settings: the most that clients can cause."""

from typing import Annotated

from pydantic import Field

from db.core.connections.meter import MAX_RESPONSE_BYTES
from gateway.setting_types import Storage
from gateway.settings.section import Section
from graph.core.execution.bounds import Limits

NO_LIMIT = "0 is no limit, which only development accepts"
OPERATION = Limits()
Limit = Annotated[int, Field(ge=0), NO_LIMIT]


class LimitSettings(Section):
    """Bounds of requests, operations, clients and connections."""

    max_body_bytes: int = Field(
        default=2 * 1024 * 1024,
        ge=1024,
        description="Maximum size of a request body; a larger one gets 413. At most 65536 without "
        "a credential.",
    )
    response_cache_bytes: int = Field(
        default=0,
        ge=0,
        description="Memory of each process for results of statistics that are kept while nothing "
        "that they are computed from changes; 0 keeps none.",
    )
    max_response_bytes: int = Field(
        default=MAX_RESPONSE_BYTES,
        ge=64 * 1024,
        description="Maximum size of a response, and of a message of a subscription; a larger one "
        "gets the code `RESPONSE_TOO_LARGE`. An operation reads at most twice as much "
        "from the database. All unsent results use at most 16 times as much, once for "
        "identified and once for anonymous clients.",
    )
    max_document_bytes: int = Field(
        default=20_000,
        ge=256,
        description="Maximum size of a GraphQL document, without variables; a larger one gets 400.",
    )
    max_tokens: Limit = Field(
        default=OPERATION.tokens, description="Maximum tokens of a document, comments included."
    )
    max_definitions: Limit = Field(
        default=OPERATION.definitions, description="Maximum operations and fragments of a document."
    )
    max_depth: Limit = Field(
        default=OPERATION.depth,
        description="Maximum levels of fields; introspection has 15 of its own.",
    )
    max_aliases: Limit = Field(
        default=OPERATION.aliases, description="Maximum aliases of an operation."
    )
    max_directives: Limit = Field(
        default=OPERATION.directives, description="Maximum directives of an operation."
    )
    max_root_fields: Limit = Field(
        default=OPERATION.root_fields, description="Maximum fields at the root of an operation."
    )
    max_selections: Limit = Field(
        default=OPERATION.selections, description="Maximum fields after fragments are expanded."
    )
    max_cost: Limit = Field(default=OPERATION.cost, description="Maximum points of an operation.")
    max_input_values: Limit = Field(
        default=OPERATION.values,
        description="Maximum values in the inputs of an operation, each use counted; batches have "
        "20,000.",
    )
    max_input_values_anonymous: Limit = Field(
        default=OPERATION.values_anonymous, description="The same for anonymous clients."
    )
    max_input_values_subscription: Limit = Field(
        default=OPERATION.values_subscription,
        description="The same for subscriptions, which use them with each message.",
    )
    budget_points_per_minute: Limit = Field(
        default=100_000, description="Points per minute of each user, or key without a user."
    )
    budget_points_per_minute_anonymous: Limit = Field(
        default=5_000,
        description="Points per minute of all anonymous clients in one network: /24, or /64 in "
        "IPv6. Name your proxies in `DREAMNET_TRUSTED_PROXIES`, or all clients behind "
        "one are one network.",
    )
    failed_sign_ins_per_minute: Limit = Field(
        default=50,
        description="Failed sign-ins per minute of each network: /24, or /64 in IPv6. Beyond that "
        "only credentials that were valid before, and tokens of the issuer, are "
        "accepted from it; others get 429.",
    )
    budget_storage: Storage | None = Field(
        default=None,
        description="Storage of spent points and failed sign-ins, as an `async+` URI of the "
        "library `limits`. If unset, each process counts its share in its own memory.",
    )
    export_max_seconds: int = Field(
        default=600,
        ge=1,
        le=86_400,
        description="Seconds that an export may take. Its snapshot holds back the removal of dead "
        "rows for as long.",
    )
    max_streams: Limit = Field(
        default=12_000,
        description="Maximum open streams of a host: WebSockets and event streams.",
    )
    max_streams_per_caller: Limit = Field(
        default=50, description="Maximum streams of each user, or key without a user."
    )
    max_streams_per_network: Limit = Field(
        default=200,
        description="Maximum streams of all anonymous clients in one network: /24, or /64 in IPv6.",
    )
    max_unidentified_sockets: Limit = Field(
        default=2_000,
        description="Maximum WebSockets of clients not yet identified. They take no place of "
        "other streams; one more closes the oldest of them.",
    )
    max_unidentified_sockets_per_network: Limit = Field(
        default=100, description="The same for one network."
    )
    max_idle_connections: Limit = Field(
        default=5_000,
        description="Maximum HTTP connections without a complete request: new, kept alive, or "
        "with a request arriving. One more closes the oldest. Each needs a file "
        "descriptor; `serve` uses as many as `ulimit -Hn` allows.",
    )
    max_idle_connections_per_network: Limit = Field(
        default=500,
        description="The same for one network. Trusted proxies are exempt.",
    )

    @property
    def operation_limits(self) -> Limits:
        return Limits(
            tokens=self.max_tokens,
            definitions=self.max_definitions,
            depth=self.max_depth,
            aliases=self.max_aliases,
            directives=self.max_directives,
            root_fields=self.max_root_fields,
            selections=self.max_selections,
            cost=self.max_cost,
            values=self.max_input_values,
            values_anonymous=self.max_input_values_anonymous,
            values_subscription=self.max_input_values_subscription,
        )


LIMITS = tuple(
    name for name, field in LimitSettings.model_fields.items() if NO_LIMIT in field.metadata
)
