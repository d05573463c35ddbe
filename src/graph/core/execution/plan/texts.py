"""Texts: rows that PostgreSQL prints as JSON, with their related rows, by one statement.

A type is printed if each of its selected fields has the same bytes in PostgreSQL's JSON as in ours.
"""

from collections.abc import Callable, Mapping

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    get_nullable_type,
    is_non_null_type,
)
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Integer, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB

from db.core.query import json_text
from db.core.query.batch import Columns
from db.core.query.json_text import FLOAT, JsonObject, Part, Print
from db.core.query.listing import ListSpec
from db.core.table import Column, Table
from graph.core.execution.plan.completion import FieldPlace
from graph.core.execution.plan.document import (
    TYPE_NAME,
    Details,
    Document,
    attribute_of,
    declared_of,
    name_of,
    object_type,
    place_of,
)
from graph.core.execution.plan.leaves import document, names_of
from graph.core.execution.plan.run import Arguments, Irregular, Level, Run, Unplanned
from graph.core.execution.plan.shapes import Rows
from graph.core.loader import Latest, One
from graph.core.permission import Access
from graph.core.types.declared import ColumnField, ConnectedField, IdField, RelatedField
from graph.core.types.node import node_type

ArgumentsOf = Callable[[FieldPlace, ListSpec], Arguments]

# By the name of a scalar: the type of the column, and what prints it.
SCALARS: Mapping[str, tuple[type, Print]] = {
    "String": (Text, json_text.escaped),
    "Int": (Integer, json_text.plain),
    "Boolean": (Boolean, json_text.plain),
    "Float": (Numeric, json_text.float_of_two_decimals),
    "Decimal": (Numeric, json_text.quoted),
    "BigInt": (BigInteger, json_text.quoted),
    "DateTime": (DateTime, json_text.time),
    "JSON": (JSONB, json_text.plain),
}
LONGEST = 1_000  # characters of a column that is printed within another row
OF_PAGE = {"first", "after", "orderBy"}  # arguments of a page that is printed within a row


class TextShape:
    """Objects made from rows that are printed already, at `place` in the rows of a statement."""

    def __init__(self, place: int, has_floats: bool, has_documents: bool) -> None:
        self.place = place
        self.has_floats = has_floats
        self.has_documents = has_documents

    async def objects(self, _run: Run, rows: Rows) -> list[object]:
        place = self.place
        return [self._shown(row[place]) for row in rows]

    def _shown(self, text: str | None) -> object:
        if text is None or json_text.IRREGULAR in text:
            raise Irregular("a row that the schema does not allow")
        if self.has_floats:
            text = _without_marks(text)
        return document(text) if self.has_documents else orjson.Fragment(text)


def _without_marks(text: str) -> str:
    """With floats as we print them: 0.5 for 0.50, but 1.0 for 1.00."""
    return "".join([part.removesuffix("0") for part in text.split(FLOAT)])


class TextCompiler:
    """Compiles a selection to a printed row of a level."""

    def __init__(self, document: Document, arguments_of: ArgumentsOf, level: Level) -> None:
        self.document = document
        self.arguments_of = arguments_of
        self.level = level
        self.arguments = [*level.arguments]
        self.guards = [*level.guards]
        self.has_floats = False
        self.has_documents = False
        self.has_pages = False

    def shape(self, type_: GraphQLObjectType, details: Details) -> TextShape:
        """Raises Unplanned, and leaves the level as it was."""
        row = self._row(type_, details, (self.level.table,), in_page=False)
        self.level.arguments, self.level.guards = self.arguments, self.guards
        self.level.has_pages = self.level.has_pages or self.has_pages
        return TextShape(self.level.add(row), self.has_floats, self.has_documents)

    def _row(
        self,
        type_: GraphQLObjectType,
        details: Details,
        tables: tuple[type[Table], ...],
        in_page: bool,
    ) -> JsonObject:
        """The row of the last of `tables`, printed within those of the others."""
        table = tables[-1]
        if table in tables[:-1]:
            raise Unplanned(f"{table.__name__} within itself")
        fields = self.document.subfields(type_, details)
        shown = [name_of(some) for some in fields.values()]
        if len(set(shown)) < len(shown):
            raise Unplanned("a field that is shown several times")
        row = _Row(self, type_, tables, in_page)
        return JsonObject(table, {name: row.part(some) for name, some in fields.items()})

    def argument(self, place: FieldPlace, listing: ListSpec) -> int:
        """The place of the arguments of a page among those of the level. Raises Unplanned."""
        given = {argument.name.value for argument in place.nodes[0].arguments or ()}
        if not given <= OF_PAGE:
            raise Unplanned("a page that is filtered, searched or read backwards")
        self.has_pages = True
        self.arguments.append(self.arguments_of(place, listing))
        return len(self.arguments) - 1

    def guard(self, access: Access) -> int:
        """The place of an access among those of the level."""
        if access not in self.guards:
            self.guards.append(access)
        return self.guards.index(access)


class _Row:
    """The fields of a type in a row of the last of `tables`."""

    def __init__(
        self,
        compiler: TextCompiler,
        type_: GraphQLObjectType,
        tables: tuple[type[Table], ...],
        in_page: bool,
    ) -> None:
        self.compiler = compiler
        self.type_ = type_
        self.tables = tables
        self.table = tables[-1]
        self.in_page = in_page
        self.columns = {column.name: column for column in self.table.columns()}

    def part(self, details: Details) -> Part:
        if name_of(details) == TYPE_NAME:
            return json_text.Constant(f'"{self.type_.name}"')
        place = place_of(self.type_, details)
        match declared_of(place.field):
            case IdField():
                return json_text.GlobalId(self.table.id, node_type(self.table).prefix)
            case ColumnField(name, others):
                return self._column(name, place.field, others)
            case RelatedField() as related:
                return self._related(place, related, details)
            case ConnectedField() as connected:
                return self._connected(place, connected, details)
            case _ if (attribute := attribute_of(place.field)) is not None:
                return self._column(attribute, place.field)
        raise Unplanned(f"the resolver of {self.type_.name}.{place.name}")

    # Columns

    def _column(
        self, name: str, field: GraphQLField, others: Access | None = None
    ) -> json_text.ColumnValue:
        column = self.columns.get(name)
        if column is None:
            raise Unplanned(f"{name} is not a column")
        if len(self.tables) > 1 and not _is_short(column):
            raise Unplanned(f"{column} may be long")
        guard = None if others is None else self.compiler.guard(others)
        shows_null = not is_non_null_type(field.type)
        printed = self._print(column, field)
        return json_text.ColumnValue(column, printed, shows_null, self.table.id, guard)

    def _print(self, column: Column, field: GraphQLField) -> Print:
        type_ = get_nullable_type(field.type)
        if isinstance(type_, GraphQLEnumType):
            return json_text.choice_of(names_of(column, type_))
        if isinstance(type_, GraphQLList):
            inner = get_nullable_type(type_.of_type)
            if isinstance(column.type, ARRAY) and getattr(inner, "name", "") == "String":
                return json_text.texts
        name = getattr(type_, "name", "")
        kind, printed = SCALARS.get(name, (None, json_text.plain))
        if kind is None or not isinstance(column.type, kind) or not _fits(name, column):
            raise Unplanned(f"{column} as {type_}")
        self.compiler.has_floats = self.compiler.has_floats or name == "Float"
        self.compiler.has_documents = self.compiler.has_documents or name == "JSON"
        return printed

    # Related rows

    def _related(self, place: FieldPlace, related: RelatedField, details: Details) -> Part:
        loader, is_required = related.loader, is_non_null_type(place.field.type)
        if issubclass(loader, One) and loader.found is One.found:
            row = self._below(loader.table, object_type(place.field.type), details, self.in_page)
            keys = self._keys(related.keys)
            return json_text.RelatedRow(self.table, keys, loader.columns, row, is_required)
        if issubclass(loader, Latest) and loader.found is Latest.found and not is_required:
            table = loader.listing.table
            row = self._below(table, object_type(place.field.type), details, self.in_page)
            keys = self._keys(related.keys)
            self.compiler.has_pages = True
            return json_text.NewestRow(self.table, keys, loader.listing, loader.columns, row)
        raise Unplanned(f"the loader of {place.name}")

    def _connected(self, place: FieldPlace, connected: ConnectedField, details: Details) -> Part:
        if self.in_page:
            raise Unplanned("a page within a page of a row")
        listing, columns = connected.pages.listing, connected.pages.columns
        number = self.compiler.argument(place, listing)
        type_ = object_type(place.field.type)
        fields = self.compiler.document.subfields(type_, details)
        parts: dict[str, Part] = {}
        for name, some in fields.items():
            if name_of(some) == TYPE_NAME:
                parts[name] = json_text.Constant(f'"{type_.name}"')
                continue
            if name_of(some) != "nodes" or any(
                isinstance(part, json_text.RelatedPage) for part in parts.values()
            ):
                raise Unplanned(f"{type_.name}.{name_of(some)}")
            row = self._below(
                listing.table, object_type(type_.fields["nodes"].type), some, in_page=True
            )
            parts[name] = json_text.RelatedPage(
                self.table, self._keys(connected.keys), listing, columns, row, number
            )
        return json_text.Wrapped(parts)

    def _below(
        self, table: type[Table], type_: GraphQLObjectType, details: Details, in_page: bool
    ) -> JsonObject:
        return self.compiler._row(type_, details, (*self.tables, table), in_page)

    def _keys(self, names: tuple[str, ...]) -> Columns:
        return tuple(self.columns[name] for name in names)


def _is_short(column: Column) -> bool:
    """Whether a page of such columns takes little memory of PostgreSQL, which prints it at once."""
    if isinstance(column.type, Text):
        check = column.info.get("check")
        return check is not None and check.most is not None and check.most <= LONGEST
    return not isinstance(column.type, ARRAY | JSONB)


def _fits(name: str, column: Column) -> bool:
    """Whether the text of a number is that of the scalar."""
    if name == "Int":
        return not isinstance(column.type, BigInteger)
    if name == "Float":
        return column.type.scale == 2 and column.type.precision <= 15
    return True
