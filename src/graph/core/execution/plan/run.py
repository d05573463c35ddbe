"""Run: the state of one execution of a plan."""

from asyncio import sleep
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, TypeVar, cast
from uuid import UUID
from weakref import ReferenceType, ref

from graphql import GraphQLResolveInfo
from graphql.execution.values import VariableValues
from graphql.pyutils import gather_with_cancel

from db import Database
from db.core.cache import Cache
from db.core.connections.meter import Meter
from db.core.errors import Invalid
from db.core.query.batch import ENDS, ends_of_keys
from db.core.query.json_text import InvalidPage
from db.core.query.listing import ListArgs
from db.core.query.projection import NOT_NESTED, Nested, Projection
from db.core.session.compiled import CompiledStatement, compile_statement
from db.core.session.direct import DirectReadFailed, DirectRow, fetch
from db.core.session.row_rules import VIEWER
from db.core.table import AnySelect, Table
from graph.core.context import READ_FACTOR, Context
from graph.core.execution.execution_context import TOO_LARGE
from graph.core.permission import Access

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation
    from graph.core.execution.plan.completion import FieldPlace

Arguments = Callable[["Run"], ListArgs]
NO_ARGS = ListArgs()
STATEMENT_BYTES = 32 * 1024 * 1024  # of all statements that are kept
FIXED_BYTES = 4 * 1024
SLICE = 500  # values, which take a few milliseconds
T = TypeVar("T")


class Unplanned(Exception):
    """The operation cannot be planned; the message is the reason."""


class Irregular(Exception):
    """The execution met an error or a null that graphql-core must report; the message is the
    reason."""


class Level(Projection):
    """The columns of one statement. Rows that PostgreSQL prints depend on the `arguments` of the
    pages within them, and on the viewer's access to columns of other users, `guards`."""

    def __init__(self, table: type[Table]) -> None:
        super().__init__(table)
        self.arguments: list[Arguments] = []
        self.has_pages = False  # within printed rows
        self.guards: list[Access] = []

    def nested(self, run: "Run") -> Nested:
        if not self.arguments and not self.guards:
            return NOT_NESTED
        try:
            pages = tuple([read(run) for read in self.arguments])
        except Invalid as error:
            raise Irregular("invalid arguments") from error
        return Nested(pages, tuple([run.may(access) for access in self.guards]))


class Statement:
    """A statement of a plan, compiled for each kind of visibility and each set of arguments."""

    def __init__(self, level: Level, select: Callable[[ListArgs, Nested], AnySelect]) -> None:
        self.level = level
        self.select = select
        self.latest_key: object = None
        self.latest: ReferenceType[CompiledStatement] | None = None

    def compiled(self, run: "Run", list_args: ListArgs) -> CompiledStatement:
        """Raises Irregular for pages within rows that cannot be read."""
        key = run.database.visibility.kind, list_args, self.level.nested(run)
        if key == self.latest_key and self.latest and (latest := self.latest()):
            return latest  # without hashing the key
        known = _compiled.get((self, *key)) or self._compile(run, *key)
        self.latest_key, self.latest = key, ref(known)
        return known

    def _compile(
        self, run: "Run", kind: object, list_args: ListArgs, nested: Nested
    ) -> CompiledStatement:
        try:
            made = compile_statement(self.select(list_args, nested), run.database.visibility)
        except InvalidPage as error:
            raise Irregular("invalid arguments") from error
        _compiled[self, kind, list_args, nested] = made
        return made


class Run:
    """One execution of a plan: its context, the coerced variables, and the payload of a message.
    `repeats`: the response may be larger than what is read."""

    def __init__(
        self,
        operation: "Operation",
        context: Context,
        variables: VariableValues,
        root: object,
        repeats: bool,
    ) -> None:
        self.operation = operation
        self.context = context
        self.database = context.db
        self.variables = variables
        self.root = root
        self.resolved: dict[str, object] = {}  # results of root resolvers, by response name
        self.user_id = context.principal.user_id
        self.may = context.principal.may
        self.meter = Meter(context.max_response_bytes, TOO_LARGE, context.claim)
        self.texts = _texts(context.max_response_bytes) if repeats else None
        self.infos: dict[FieldPlace, GraphQLResolveInfo[Context]] = {}

    async def rows(
        self,
        statement: Statement,
        list_args: ListArgs,
        arrays: Sequence[object] = (),
    ) -> Sequence[DirectRow]:
        """The rows of a statement for the keys in `arrays`, one array per column of the key; or for
        one key of one column."""
        return await self._fetch(self.database, statement, list_args, arrays)

    async def _fetch(
        self,
        database: Database,
        statement: Statement,
        list_args: ListArgs,
        keys: Sequence[object],
    ) -> Sequence[DirectRow]:
        compiled = statement.compiled(self, list_args)
        parameters: dict[str, object] = {}
        if compiled.depends_on_viewer:
            parameters[VIEWER] = self.user_id
        for index, value in enumerate(keys):
            parameters[f"keys_{index}"] = value
        if ENDS[0] in compiled.names:
            parameters |= ends_of_keys(cast("list[UUID]", keys[0]))
        try:
            return await fetch(database, compiled, parameters)
        except DirectReadFailed as failure:
            raise Irregular("a read failed") from failure

    async def row(self, one: Statement, many: Statement, id: UUID) -> DirectRow | None:
        """The row with an id. Reads of other operations may share the statement for `many`."""
        database = self.database
        by_viewer = one.compiled(self, NO_ARGS).depends_on_viewer
        kind = many, database.visibility.kind, self.user_id if by_viewer else None

        async def read(ids: Sequence[Hashable]) -> Sequence[DirectRow]:
            if len(ids) == 1:
                return await self._fetch(database, one, NO_ARGS, ids)
            return await self._fetch(database.metered(None), many, NO_ARGS, [ids])

        if database.recorder is not None:  # its statements are its own
            return next(iter(await read([id])), None)
        return await database.gathered.row(kind, id, read)


def _texts(most: int) -> Meter:
    """A meter of texts before they are shown. Documents of PostgreSQL are longer than shown."""
    return Meter(READ_FACTOR * most, TOO_LARGE.format(most))


async def together(work: Sequence[Awaitable[list[object]]]) -> list[list[object]]:
    """The results of several works. If one fails, the others are cancelled."""
    if len(work) == 1:
        return [await work[0]]
    return await gather_with_cancel(*work) if work else []


async def in_slices(values: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Many values in several parts, between which others are served."""
    for first in range(0, len(values), SLICE):
        if first:
            await sleep(0)
        yield values[first : first + SLICE]


def _size(compiled: CompiledStatement) -> int:
    return FIXED_BYTES + compiled.size


_compiled: Cache[tuple[Statement, object, ListArgs, Nested], CompiledStatement] = Cache(
    STATEMENT_BYTES, _size
)


def statement_cache() -> Cache[tuple[Statement, object, ListArgs, Nested], CompiledStatement]:
    return _compiled
