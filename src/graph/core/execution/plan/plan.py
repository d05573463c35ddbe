"""Plan: a compiled query, and its execution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from graphql import (
    DirectiveNode,
    GraphQLError,
    VariableNode,
    Visitor,
    is_non_null_type,
    located_error,
    visit,
)
from graphql.execution.values import VariableValues, get_variable_values

from db.core.connections.meter import Meter
from db.core.errors import Crowded, TooLarge
from graph.core.context import Context
from graph.core.execution.plan.compiler import Compiler
from graph.core.execution.plan.reads import Root, RootFailed
from graph.core.execution.plan.run import Irregular, Run, Unplanned, together

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation

MAX_VARIANTS = 16  # of one operation, by the variables of @skip and @include


@dataclass(frozen=True, slots=True)
class Planned:
    """The result of a plan."""

    data: dict[str, object] | None
    errors: list[GraphQLError]


@dataclass(frozen=True, slots=True)
class Plan:
    """The root fields of a query. `repeats`: the response may be larger than what is read."""

    roots: Mapping[str, Root]
    repeats: bool

    async def data(self, run: Run) -> dict[str, object]:
        """Raises Irregular, RootFailed, TooLarge, Crowded, and what resolvers raise."""
        if len(self.roots) == 1:
            ((name, root),) = self.roots.items()
            data = {name: await root.value(run)}
        else:
            values = await together([_listed(root, run) for root in self.roots.values()])
            data = dict(zip(self.roots, (value for (value,) in values), strict=True))
        if self.repeats:
            _count(data, run.meter)
        return data


async def _listed(root: Root, run: Run) -> list[object]:
    return [await root.value(run)]


@dataclass(slots=True)
class Plans:
    """The plans of one operation: one for each way its directives may turn out."""

    operation: "Operation"
    directive_variables: tuple[str, ...]
    known: dict[tuple[object, ...], Plan | Unplanned] = field(default_factory=dict)

    def of(self, variables: VariableValues) -> Plan:
        """Raises Unplanned."""
        key = tuple(variables.coerced.get(name) for name in self.directive_variables)
        if key not in self.known:
            if len(self.known) == MAX_VARIANTS:
                raise Unplanned("too many combinations of directives")
            self.known[key] = _compiled(self.operation, variables)
        plan = self.known[key]
        if isinstance(plan, Unplanned):
            raise plan
        return plan


def plans_of(operation: "Operation") -> Plans:
    search = _DirectiveVariables()
    visit(operation.document, search)
    return Plans(operation, tuple(sorted(search.names)))


def _compiled(operation: "Operation", variables: VariableValues) -> Plan | Unplanned:
    compiler = Compiler(operation, variables)
    try:
        return Plan(compiler.roots(), compiler.repeats)
    except Unplanned as reason:
        return reason
    except Exception as error:  # the arguments are invalid: graphql-core reports why
        return Unplanned(type(error).__name__)


class _DirectiveVariables(Visitor):
    """Collects the variables of directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.names.add(argument.value.name.value)


async def execute_plan(
    operation: "Operation", variables: Mapping[str, object] | None, context: Context
) -> Planned:
    """Execute a query by its plan. Raises Unplanned, Irregular, TooLarge and Crowded."""
    if operation.kind != "query":
        raise Unplanned(operation.kind)
    declared = operation.node.variable_definitions or ()
    coerced = get_variable_values(operation.schema._schema, declared, dict(variables or {}))
    if isinstance(coerced, list):
        raise Irregular("invalid variables")
    plan = operation.plans.of(coerced)
    run = Run(operation, context, coerced)
    try:
        return Planned(await plan.data(run), [])
    except RootFailed as failed:
        return _failed(plan, failed)
    except (TooLarge, Crowded, Irregular):
        raise
    except Exception as error:  # graphql-core executes it again, and reports the error
        raise Irregular(type(error).__name__) from error


def _failed(plan: Plan, failed: RootFailed) -> Planned:
    """The result of a query whose only root field failed. Raises Irregular for others."""
    if len(plan.roots) > 1:
        raise Irregular("one of several root fields failed") from failed.error
    (name,) = plan.roots
    place = failed.place
    error = located_error(failed.error, place.nodes, [name])
    data: dict[str, object] | None = {name: None}
    if is_non_null_type(place.field.type):
        data = None
    return Planned(data, [error])


def _count(value: object, meter: Meter) -> None:
    """Count the bytes of a response approximately. Raises TooLarge or Crowded."""
    waiting = [value]
    counted = 0
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            counted += len(part) + 3
        elif isinstance(part, dict):
            counted += sum(map(len, part)) + 4 * len(part)
            waiting += part.values()
        elif isinstance(part, list | tuple):
            counted += len(part)
            waiting += part
        else:
            counted += len(orjson.dumps(part)) if isinstance(part, orjson.Fragment) else 4
        if counted > COUNTED_AT_ONCE:
            meter.add(counted)
            meter.check()
            counted = 0
    meter.add(counted)
    meter.check()


COUNTED_AT_ONCE = 16 * 1024  # bytes
