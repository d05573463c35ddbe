"""Export rights: what each export shows, as a list of the API; so both have the same rights.

The document of an export is never executed. It says which fields a caller needs access to, which
filter is valid, and what reading the first page costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import GraphQLError

from db.core.query.filter import Condition
from db.exporter import NOUNS, Exportable, ExportNoun
from graph.core.context import Context
from graph.core.execution.operation import Operation, prepare
from graph.core.execution.preconditions import accept
from graph.core.permission import MEMBER, Access
from graph.core.types.filter import condition
from graph.schema import schema
from graph.users.types import READ_ALL

PAGE = 100  # nodes that an export is charged for


@dataclass(frozen=True, slots=True)
class Export:
    """One export: the list of the API, its fields, and a column that is null for callers without
    more access, as it is in the rows of other users."""

    list: str
    filter: str
    shows: str
    guarded: tuple[str, Access] | None = None

    @property
    def operation(self) -> Operation:
        return prepare(
            schema,
            f"query Export($filter: {self.filter}) {{ {self.list}(filter: $filter, first: {PAGE}) "
            f"{{ nodes {{ {self.shows} }} }} }}",
        )


_TEST = (
    "id provider model impossibilityScore confidence durationMs tokensUsed cost status createdAt"
)

EXPORTS: Mapping[str, Export] = {
    "models": Export(
        "aiModels",
        "AiModelFilter",
        "id provider name displayName maxTokens costPer1kTokens inputCostPer1kTokens "
        "outputCostPer1kTokens capabilities isActive",
    ),
    "dreams": Export(
        "dreams",
        "DreamFilter",
        "id title description originalPrompt category tags isPublic status createdAt",
        guarded=("ownerEmail", READ_ALL),
    ),
    "tests": Export("aiTests", "AiTestFilter", f"{_TEST} reasoning testParameters dream {{ id }}"),
    "events": Export(
        "events", "EventFilter", "id eventType source severity payload timestamp metadata"
    ),
    "metrics": Export("metrics", "MetricFilter", "id metricName value unit tags timestamp"),
    "agentReports": Export(
        "agentHistory",
        "AgentReportFilter",
        "id agentKey status reportedAt currentTask performanceMetrics error",
    ),
    "auditEntries": Export(
        "auditLog",
        "AuditEntryFilter",
        "id operation entity entityId before after actor { id } requestId createdAt",
        guarded=("keyId", MEMBER),
    ),
    "features": Export(
        "aiTests", "AiTestFilter", f"{_TEST} dream {{ id category tags createdAt }}"
    ),
}


async def allowed(
    name: str, where: object, context: Context
) -> tuple[Exportable, Condition | None] | list[GraphQLError]:
    """What a caller gets of an export, and the condition of a filter; or why it is refused. Charges
    the caller for either. Raises Invalid."""
    export, noun = EXPORTS[name], NOUNS[name]
    if export.guarded and isinstance(noun, ExportNoun):
        column, access = export.guarded
        noun = noun if context.principal.may(access) else noun.without(column)
    accepted = await accept(export.operation, {"filter": where}, context)
    if isinstance(accepted, list):
        return accepted
    return noun, condition(noun.listing, accepted.coerced["filter"])


def parsed(name: str, where: object) -> Condition | None:
    """The condition of a filter, for callers without a limit. Raises Invalid or GraphQLError."""
    coerced = EXPORTS[name].operation.variables.coerced({"filter": where}, suggestions=True)
    if isinstance(coerced, list):
        raise coerced[0]
    return condition(NOUNS[name].listing, coerced.coerced["filter"])
