"""Limit settings: the most that clients can cause."""

from typing import Annotated

from pydantic import Field

from db.core.connections.meter import MAX_RESPONSE_BYTES
from gateway.setting_types import Storage
from gateway.settings.section import Section

NO_LIMIT = "0 is no limit, which only development accepts"
Limit = Annotated[int, Field(ge=0), NO_LIMIT]


class LimitSettings(Section):
    """Bounds of requests, operations, clients and connections."""

    max_body_bytes: int = Field(
        default=2 * 1024 * 1024, ge=1024, description="The largest request body, in bytes."
    )
    max_response_bytes: int = Field(
        default=MAX_RESPONSE_BYTES,
        ge=64 * 1024,
        description="The largest response to an operation, and the largest message of a "
        "subscription, in bytes.",
    )
    max_document_bytes: int = Field(
        default=20_000,
        ge=256,
        description="The largest GraphQL document, in bytes, not counting its variables.",
    )
    max_tokens: Limit = Field(
        default=2_000, description="The most tokens of a document, comments included."
    )
    max_definitions: Limit = Field(
        default=100, description="The most operations and fragments of a document."
    )
    max_depth: Limit = Field(
        default=10, description="The most levels of fields; introspection has 15 of its own."
    )
    max_aliases: Limit = Field(default=30, description="The most aliases of an operation.")
    max_directives: Limit = Field(default=50, description="The most directives of an operation.")
    max_root_fields: Limit = Field(
        default=20, description="The most fields at the root of an operation."
    )
    max_selections: Limit = Field(
        default=5_000, description="The most fields once all fragments are expanded."
    )
    max_cost: Limit = Field(
        default=5_000, description="The most points that an operation may cost."
    )
    max_input_values: Limit = Field(
        default=2_000,
        description="The most values in the inputs of an operation, each use counted; batches have "
        "20,000.",
    )
    max_input_values_anonymous: Limit = Field(
        default=1_000, description="The same for anonymous clients."
    )
    max_input_values_subscription: Limit = Field(
        default=250,
        description="The same for subscriptions, which read them with each message.",
    )
    budget_points_per_minute: Limit = Field(
        default=100_000, description="The points per minute of each user or key."
    )
    budget_points_per_minute_anonymous: Limit = Field(
        default=5_000,
        description="The points per minute of all anonymous clients in one network, /24 or /64 in "
        "IPv6.",
    )
    failed_sign_ins_per_minute: Limit = Field(
        default=50,
        description="The failed sign-ins per minute of each network, /24 or /64 in IPv6; then only "
        "credentials that were valid before are accepted there.",
    )
    budget_storage: Storage | None = Field(
        default=None,
        description="Where spent points and failed sign-ins are counted, as an `async+` storage "
        "URI of the library `limits`; without it in memory, where each process counts for itself.",
    )
    max_streams: Limit = Field(
        default=12_000, description="The most streams open at once: sockets, event streams."
    )
    max_streams_per_caller: Limit = Field(
        default=50, description="The most streams of each user or key."
    )
    max_streams_per_network: Limit = Field(
        default=200,
        description="The most streams of all anonymous clients in one network, /24 or /64 in IPv6.",
    )
    max_unidentified_sockets: Limit = Field(
        default=2_000,
        description="The most WebSockets whose client is not known yet; one more closes the oldest "
        "of them.",
    )
    max_unidentified_sockets_per_network: Limit = Field(
        default=100, description="The most of these in one network, /24 or /64 in IPv6."
    )
    max_idle_connections: Limit = Field(
        default=5_000,
        description="The most connections of HTTP without a whole request; one more closes the "
        "oldest of them.",
    )
    max_idle_connections_per_network: Limit = Field(
        default=500,
        description="The most of these in one network, /24 or /64 in IPv6, trusted proxies aside.",
    )


LIMITS = tuple(
    name for name, field in LimitSettings.model_fields.items() if NO_LIMIT in field.metadata
)
