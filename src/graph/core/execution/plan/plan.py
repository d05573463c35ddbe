"""Plan: a compiled query, and its execution."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
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
from graphql.execution.values import VariableValues

from db.core.connections.meter import Meter
from db.core.errors import Crowded, TooLarge
from graph.core.context import Context
from graph.core.execution.execution_context import too_large
from graph.core.execution.plan.compiler import Compiler
from graph.core.execution.plan.roots import Root, RootFailed, RowById
from graph.core.execution.plan.run import Irregular, Run, Unplanned, together

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation

AT_ONCE = 100  # fields that are compiled without a thread
MAX_VARIANTS = 16  # of one operation, by the variables of @skip and @include
MAX_FIELDS = 2_000  # of all variants of an operation that has several


@dataclass(frozen=True, slots=True)
class Planned:
    """The result of a plan."""

    data: dict[str, object] | None
    errors: list[GraphQLError]


@dataclass(frozen=True, slots=True)
class Fallback:
    """Why graphql-core must execute an operation. `resolved` are the results, or exceptions, of the
    resolvers of root fields that were called already, by response name."""

    reason: str
    resolved: Mapping[str, object]


@dataclass(slots=True)
class Sharing:
    """Which queries share an execution: those of callers of one kind, for some kinds those of one
    user, or none."""

    is_possible: bool = True
    personal: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Plan:
    """The root fields of an operation, executed one by one in a mutation. `repeats`: the response
    may be larger than what is read."""

    roots: Mapping[str, Root]
    is_serial: bool
    repeats: bool
    sharing: Sharing = field(default_factory=Sharing)

    @cached_property
    def by_id(self) -> RowById | None:
        """The root field, if it is the only one and shows the row with an ID."""
        first = next(iter(self.roots.values()))
        return first if isinstance(first, RowById) and len(self.roots) == 1 else None

    async def data(self, run: Run) -> dict[str, object]:
        """Raises Irregular, RootFailed, TooLarge, Crowded, and what resolvers raise."""
        data: dict[str, object] = {}
        if self.is_serial or len(self.roots) == 1:
            for name, root in self.roots.items():
                data[name] = await root.value(run)
        else:
            values = await together([_listed(root, run) for root in self.roots.values()])
            data = dict(zip(self.roots, (value for (value,) in values), strict=True))
        if self.repeats:
            count(data, run.meter)
        return data


async def _listed(root: Root, run: Run) -> list[object]:
    return [await root.value(run)]


@dataclass(slots=True)
class Plans:
    """The plans of one operation: one for each way its directives may turn out."""

    operation: "Operation"
    directive_variables: tuple[str, ...]
    known: dict[tuple[object, ...], Plan | str] = field(default_factory=dict)  # or why not

    @property
    def most(self) -> int:
        """The number of plans that are kept at most."""
        if not self.directive_variables:
            return 1
        return max(1, min(MAX_VARIANTS, MAX_FIELDS // self.operation.selections))

    def ready(self, variables: VariableValues) -> Plan | None:
        """The plan for these variables, if it was compiled before."""
        plan = self.known.get(self._key(variables))
        return plan if isinstance(plan, Plan) else None

    def _key(self, variables: VariableValues) -> tuple[object, ...]:
        return tuple(variables.coerced.get(name) for name in self.directive_variables)

    async def of(self, variables: VariableValues) -> Plan:
        """The plan for these variables. A large operation is compiled in a thread, so that others
        are executed meanwhile. Raises Unplanned."""
        key = self._key(variables)
        if key not in self.known:
            if len(self.known) >= self.most:
                raise Unplanned("too many combinations of directives")
            if self.operation.selections > AT_ONCE:
                made = await asyncio.to_thread(_compiled, self.operation, variables)
            else:
                made = _compiled(self.operation, variables)
            self.known[key] = made
        plan = self.known[key]
        if isinstance(plan, str):
            raise Unplanned(plan)
        return plan


def plans_of(operation: "Operation") -> Plans:
    search = _DirectiveVariables()
    visit(operation.document, search)
    return Plans(operation, tuple(sorted(search.names)))


def _compiled(operation: "Operation", variables: VariableValues) -> Plan | str:
    """The plan, or why there is none."""
    compiler = Compiler(operation, variables)
    try:
        return Plan(compiler.root_fields(), operation.kind == "mutation", compiler.repeats)
    except (Unplanned, Irregular) as reason:
        return str(reason)
    except Exception as error:  # the arguments are invalid: graphql-core reports why
        return type(error).__name__


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
    operation: "Operation", variables: VariableValues, context: Context, root: object
) -> Planned | Fallback:
    """Execute an operation, or one message of a subscription with its payload as root value. Raises
    TooLarge and Crowded."""
    try:
        plan = await operation.plans.of(variables)
    except Unplanned as reason:
        return Fallback(str(reason), {})
    run = Run(operation, context, variables, root, plan.repeats)
    try:
        return Planned(await plan.data(run), [])
    except RootFailed as failed:
        return _failed(plan, failed, run)
    except (Unplanned, Irregular) as reason:
        return Fallback(str(reason), run.resolved)
    except (TooLarge, Crowded) as refused:
        if operation.kind != "mutation":
            raise _as_response(refused, plan, context) from refused
        return Fallback(type(refused).__name__, run.resolved)  # its other root fields follow
    except Exception as error:  # graphql-core reports it
        return Fallback(type(error).__name__, run.resolved)


def _as_response(refused: TooLarge | Crowded, plan: Plan, context: Context) -> Exception:
    """The error of a response that is too large, if nothing is read that is not shown."""
    is_shown = isinstance(refused, TooLarge) and not plan.repeats
    return too_large(context.max_response_bytes) if is_shown else refused


def _failed(plan: Plan, failed: RootFailed, run: Run) -> Planned | Fallback:
    if len(plan.roots) > 1:
        return Fallback("one of several root fields failed", run.resolved)
    (name,) = plan.roots
    place = failed.place
    error = located_error(failed.error, place.nodes, [name])
    is_required = is_non_null_type(place.field.type)
    return Planned(None if is_required else {name: None}, [error])


def count(value: object, meter: Meter) -> None:
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
