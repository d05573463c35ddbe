"""Compiler: from the selections of an operation to the tree of a plan.

Each object type is compiled to a row shape where its fields are declared and its rows come from one
statement, and otherwise to an object shape, which calls resolvers.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, cast

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    NullValueNode,
    VariableNode,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.values import VariableValues

from db.core.query.listing import ListArgs, ListSpec
from db.core.table import Table
from graph.core.execution import introspection
from graph.core.execution.plan import completion, connections, reads, roots
from graph.core.execution.plan.arguments import arguments_of, has_variable
from graph.core.execution.plan.completion import Completer, FieldPlace, ObjectShape
from graph.core.execution.plan.connections import ConnectionShape, Cursor, PagePart
from graph.core.execution.plan.document import (
    TYPE_NAME,
    Details,
    Document,
    attribute_of,
    columns_read,
    declared_of,
    name_of,
    object_type,
    place_of,
)
from graph.core.execution.plan.ingested import ingested_root
from graph.core.execution.plan.row_parts import RowParts
from graph.core.execution.plan.run import Level, Run, Unplanned
from graph.core.execution.plan.shapes import KeyedSource, RowShape, Shape
from graph.core.execution.plan.texts import TextCompiler
from graph.core.loader import Latest, One
from graph.core.types.connection import Arguments, list_args_of
from graph.core.types.declared import (
    ColumnField,
    ConnectedField,
    FacetField,
    IdField,
    IngestField,
    ListedField,
    NodeField,
    RelatedField,
)
from graph.core.types.node import node_type

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation

ShapeOf = Callable[[GraphQLObjectType, Details], Shape]
ReadArguments = Callable[[VariableValues | None], Arguments]  # of a list


class Compiler:
    """Compiles one operation. `repeats`: the response may be larger than the rows that are read."""

    def __init__(self, operation: "Operation", variables: VariableValues) -> None:
        self.schema = operation.schema
        self.document = Document(operation, variables)
        self.repeats = False

    # Roots

    def root_fields(self) -> Mapping[str, roots.Root]:
        """Raises Unplanned for introspection, and what invalid arguments raise."""
        return {name: self._root(name, some) for name, some in self.document.roots().items()}

    def _root(self, key: str, details: Details) -> roots.Root:
        type_, name = self.document.root_type, name_of(details)
        if name == TYPE_NAME:
            return roots.ConstantRoot(type_.name)
        if name in introspection.FIELDS:
            raise Unplanned("introspection")
        place = place_of(type_, details)
        match declared_of(place.field):
            case ListedField(listing):
                return self._listed(place, listing, details)
            case NodeField(table) if row := self._row_by_id(place, table, details):
                return row
            case IngestField() as declared:
                resolved = roots.ResolvedRoot(key, self._resolved(place, details))
                return ingested_root(self.document, resolved, declared, details)
        return roots.ResolvedRoot(key, self._resolved(place, details))

    def _listed(self, place: FieldPlace, listing: ListSpec, details: Details) -> roots.ListedPage:
        """A page that has to be planned for the values of a filter is read by level, so that the
        pages within its rows need not be planned again."""
        arguments = self._list_args(place, listing)
        shape, level = self._connection(place, listing.table, details)
        whole = roots.list_reader(listing, level, shape)
        if level is None or not level.has_pages:
            return roots.ListedPage(place, listing, whole, whole, arguments)
        shape, level = self._connection(place, listing.table, details, prints=False)
        by_level = roots.list_reader(listing, level, shape)
        return roots.ListedPage(place, listing, whole, by_level, arguments)

    def _row_by_id(
        self, place: FieldPlace, table: type[Table], details: Details
    ) -> roots.RowById | None:
        """None if the row is given by something else than its ID, or shown as an object."""
        if not self._has_id_alone(place):
            return None
        level = Level(table)
        try:
            shape = self._row_shape(level, object_type(place.field.type), details)
        except Unplanned:
            return None
        access = node_type(table).access
        id_of, variable = self._id(place)
        return roots.RowById(place, level, id_of, variable, access, shape)

    def _has_id_alone(self, place: FieldPlace) -> bool:
        arguments = place.nodes[0].arguments or ()
        if [argument.name.value for argument in arguments] != ["id"]:
            return False
        value = arguments[0].value
        if isinstance(value, VariableNode):
            return self.document.is_required(value.name.value)
        return not isinstance(value, NullValueNode)

    def _id(self, place: FieldPlace) -> tuple[Callable[[Run], str], str | None]:
        """The argument `id`, and the variable that is used for it alone. A variable is validated
        where it is parsed."""
        (argument,) = place.nodes[0].arguments or ()
        if isinstance(argument.value, VariableNode):
            name = argument.value.name.value
            alone = name if self.document.uses_of_variable(name) == 1 else None
            return lambda run: str(run.variables.coerced[name]), alone
        constant = str(arguments_of(self.schema, place)(None)["id"])
        return lambda _: constant, None

    # Rows

    def _rows(self, level: Level, type_: GraphQLObjectType, details: Details) -> Shape:
        """Rows that are printed by PostgreSQL, or else made of columns. Raises Unplanned if a field
        needs more than columns of the row."""
        try:
            return TextCompiler(self.document, self._list_args, level).shape(type_, details)
        except Unplanned:
            return self._row_shape(level, type_, details)

    def _row_shape(self, level: Level, type_: GraphQLObjectType, details: Details) -> RowShape:
        """Raises Unplanned."""
        parts = RowParts(level, type_)
        for name, some in self.document.subfields(type_, details).items():
            self._add_part(parts, name, some)
        self.repeats = self.repeats or parts.repeats
        return parts.shape()

    def _add_part(self, parts: RowParts, name: str, details: Details) -> None:
        if name_of(details) == TYPE_NAME:
            parts.add_type_name(name)
            return
        place = place_of(parts.type_, details)
        match declared_of(place.field):
            case IdField():
                parts.add_id(name)
            case ColumnField(column, others):
                parts.add_column(name, column, place.field, others)
            case RelatedField(_, keys) | ConnectedField(_, keys) as declared:
                parts.add_child(name, self._keyed(place, declared, details), keys)
            case _ if (attribute := attribute_of(place.field)) is not None:
                parts.add_column(name, attribute, place.field)
            case _ if (columns := columns_read(place.field)) is not None:
                parts.add_resolved(name, self._resolved(place, details), columns)
            case _:
                raise Unplanned(f"the resolver of {parts.type_.name}.{place.name}")

    def _keyed(
        self, place: FieldPlace, declared: RelatedField | ConnectedField, details: Details
    ) -> KeyedSource:
        if isinstance(declared, RelatedField):
            return self._related(place, declared, details)
        pages = declared.pages
        shape, level = self._connection(place, pages.listing.table, details)
        read = reads.page_reader(pages, level, shape.more)
        return reads.PagesByKey(pages, read, shape, self._list_args(place, pages.listing))

    def _related(self, place: FieldPlace, declared: RelatedField, details: Details) -> KeyedSource:
        loader, is_required = declared.loader, is_non_null_type(place.field.type)
        try:
            if issubclass(loader, One) and loader.found is One.found:
                level = Level(loader.table)
                row = self._rows(level, object_type(place.field.type), details)
                return reads.RowByKey(loader, level, row, is_required)
            if issubclass(loader, Latest) and loader.found is Latest.found and not is_required:
                level = Level(loader.listing.table)
                row = self._rows(level, object_type(place.field.type), details)
                return reads.LatestByKey(loader, level, row)
        except Unplanned:
            pass
        completer = self._completer(place.field.type, details, place)
        return reads.LoadedByKey(loader, place, completer)

    # Connections

    def _connection(
        self, place: FieldPlace, table: type[Table], details: Details, prints: bool = True
    ) -> tuple[ConnectionShape, Level | None]:
        """The shape of a connection, and the columns of its rows; None if it needs records."""
        type_, level = object_type(place.field.type), Level(table)
        try:
            cursor = connections.cursor_of_row(level)

            def shape_of(type_: GraphQLObjectType, details: Details) -> Shape:
                rows = self._rows if prints else self._row_shape
                return rows(level, type_, details)

            return ConnectionShape(self._page_parts(type_, details, cursor, shape_of)), level
        except Unplanned:
            cursor = connections.cursor_of_record
            parts = self._page_parts(type_, details, cursor, self._object_shape)
            return ConnectionShape(parts), None

    def _page_parts(
        self, type_: GraphQLObjectType, details: Details, cursor: Cursor, shape_of: ShapeOf
    ) -> Mapping[str, PagePart]:
        fields = self.document.subfields(type_, details)
        shown = [name_of(some) for some in fields.values()]
        self.repeats = self.repeats or shown.count("nodes") + shown.count("edges") > 1
        return {key: self._page_part(type_, some, cursor, shape_of) for key, some in fields.items()}

    def _page_part(
        self, type_: GraphQLObjectType, details: Details, cursor: Cursor, shape_of: ShapeOf
    ) -> PagePart:
        match name := name_of(details):
            case "nodes":
                return connections.Nodes(shape_of(_type_of(type_, name), details))
            case "edges":
                return connections.Edges(
                    self._edge_parts(_type_of(type_, name), details, cursor, shape_of)
                )
            case "pageInfo":
                fields = self.document.subfields(_type_of(type_, name), details)
                known = connections.page_info(cursor)
                return connections.Info({key: known[name_of(d)] for key, d in fields.items()})
            case "totalCount" | "totalCountIsExact":
                return connections.TOTALS[name]
            case "facets":
                return connections.Facets(self._facet_parts(_type_of(type_, name), details))
            case "__typename":
                return connections.Constant(type_.name)
        raise Unplanned(f"{type_.name}.{name}")

    def _facet_parts(
        self, type_: GraphQLObjectType, details: Details
    ) -> Mapping[str, tuple[str, connections.FacetFields] | str]:
        def part(details: Details) -> tuple[str, connections.FacetFields] | str:
            if (name := name_of(details)) == TYPE_NAME:
                return type_.name
            declared, of_facet = declared_of(type_.fields[name]), _type_of(type_, name)
            if not isinstance(declared, FacetField):
                raise Unplanned(f"{type_.name}.{name}")
            known = connections.facet_fields(of_facet.name)
            shown = self.document.subfields(of_facet, details)
            return declared.name, {key: known[name_of(some)] for key, some in shown.items()}

        fields = self.document.subfields(type_, details)
        return {key: part(some) for key, some in fields.items()}

    def _edge_parts(
        self, type_: GraphQLObjectType, details: Details, cursor: Cursor, shape_of: ShapeOf
    ) -> Mapping[str, Shape | Cursor | str]:
        fields = self.document.subfields(type_, details)
        shown = [name_of(some) for some in fields.values()]
        self.repeats = self.repeats or shown.count("node") > 1

        def part(details: Details) -> Shape | Cursor | str:
            match name_of(details):
                case "node":
                    return shape_of(_type_of(type_, "node"), details)
                case "cursor":
                    return cursor
            return type_.name

        return {key: part(some) for key, some in fields.items()}

    # Objects

    def _object_shape(self, type_: GraphQLObjectType, details: Details) -> ObjectShape:
        self.repeats = True
        fields = self.document.subfields(type_, details)
        return ObjectShape({key: self._object_field(type_, some) for key, some in fields.items()})

    def _object_field(self, type_: GraphQLObjectType, details: Details) -> completion.ObjectField:
        if name_of(details) == TYPE_NAME:
            return completion.TypeName(type_.name)
        place = place_of(type_, details)
        declared = declared_of(place.field)
        if isinstance(declared, RelatedField | ConnectedField):
            return completion.KeyedField(self._keyed(place, declared, details), declared.keys)
        attribute = attribute_of(place.field)
        if isinstance(declared, ColumnField) and declared.others is None:
            attribute = declared.name
        if attribute is None:
            return self._resolved(place, details)
        completer = self._completer(place.field.type, details, place)
        return completion.Attribute(attribute, completer)

    def _resolved(self, place: FieldPlace, details: Details) -> completion.ResolvedField:
        completer = self._completer(place.field.type, details, place)
        return completion.ResolvedField(place, completer)

    def _completer(
        self, type_: GraphQLOutputType, details: Details, place: FieldPlace
    ) -> Completer:
        if is_non_null_type(type_):
            return completion.NonNull(self._completer(type_.of_type, details, place))
        if is_list_type(type_):
            return completion.List(self._completer(type_.of_type, details, place))
        if is_leaf_type(type_):
            return completion.Leaf(type_)
        if is_abstract_type(type_):
            of_type = cache(lambda name: self._objects(name, details, place))
            return completion.AnyOf(type_, place, of_type)
        return self._objects(object_type(type_).name, details, place)

    def _objects(self, name: str, details: Details, place: FieldPlace) -> Completer:
        type_ = self.document.schema.type_map[name]
        if not isinstance(type_, GraphQLObjectType):
            raise Unplanned(f"{name} is not an object type")
        return completion.Objects(type_, self._object_shape(type_, details), place)

    def _list_args(self, place: FieldPlace, listing: ListSpec) -> Callable[[Run], ListArgs]:
        arguments = cast("ReadArguments", arguments_of(self.schema, place))
        if has_variable(place):
            return lambda run: list_args_of(listing, arguments(run.variables))
        constant = list_args_of(listing, arguments(None))
        return lambda _: constant


def _type_of(type_: GraphQLObjectType, field: str) -> GraphQLObjectType:
    return object_type(type_.fields[field].type)
