"""Compiled statements: compiled once for all viewers of one kind, and executed with parameters.

The viewer is a parameter, so a statement is compiled once for each kind of visibility and not for
each user. So are the keys of `db.core.query.batch.key_parameters`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from db.core.cache import Cache, size_of
from db.core.connections.connect import compiled_size
from db.core.session.row_rules import VIEWER, Visibility, row_rules, with_row_rules
from db.core.table import AnySelect
from db.core.timeouts import KIND, Kind, is_for_values

DIALECT: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # of SQLAlchemy
CACHED_BYTES = 32 * 1024 * 1024

Processor = Callable[[object], object]


@dataclass(frozen=True)
class CompiledStatement:
    """The text of a statement and its arguments: constants, and the places of parameters.

    `kind` selects its timeout. With `for_values`, PostgreSQL plans it for its constants.
    """

    sql: str
    constants: tuple[object, ...]
    parameters: tuple[tuple[int, str, Processor | None], ...]
    kind: Kind | None
    for_values: bool = False

    @cached_property
    def depends_on_viewer(self) -> bool:
        """True if its rows differ between viewers of one kind."""
        return VIEWER in self.names

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of its parameters."""
        return frozenset(name for _, name, _ in self.parameters)

    @property
    def size(self) -> int:
        """Bytes in memory: clients decide on the text and on the constants."""
        return size_of([self.sql, self.constants])

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        arguments = list(self.constants)
        for place, name, process in self.parameters:
            value = values[name]
            arguments[place] = value if process is None else process(value)
        return arguments


def compile_statement(statement: AnySelect, visibility: Visibility) -> CompiledStatement:
    """Compile a statement with the row rules of a kind of visibility. Statements that differ only
    in constants share the work. Raises NotCompilable."""
    limited: Any = with_row_rules(statement, row_rules(visibility.parametrized))  # not typed there
    compiled, extracted, *_ = limited._compile_w_cache(
        DIALECT, compiled_cache=_compiled, column_keys=[]
    )
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise NotCompilable
    values = compiled.construct_params(extracted_parameters=extracted, _check=False)
    names, processors = compiled.positiontup or (), compiled._bind_processors
    constants = tuple(
        None if _is_parameter(name) else _processed(values[name], processors.get(name))
        for name in names
    )
    places = tuple(
        (place, name, None if name == VIEWER else processors.get(name))
        for place, name in enumerate(names)
        if _is_parameter(name)
    )
    kind = statement.get_execution_options().get(KIND)
    varies = is_for_values(statement) and any(value is not None for value in constants)
    return CompiledStatement(str(compiled), constants, places, kind, varies)


class NotCompilable(Exception):
    """The text of the statement depends on its parameters."""


def _is_parameter(name: str) -> bool:
    return name == VIEWER or name.startswith("keys_")


def _processed(value: object, process: Processor | None) -> object:
    return value if process is None else process(value)


_compiled: Cache[object, SQLCompiler] = Cache(CACHED_BYTES, compiled_size)
