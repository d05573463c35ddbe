"""Row parts: the fields of one type in the rows of a statement, collected into its shape."""

from graphql import GraphQLField, GraphQLObjectType

from db.core.query.projection import Projection
from graph.core.execution.plan.completion import ResolvedField
from graph.core.execution.plan.leaves import leaf
from graph.core.execution.plan.partial_records import ResolvedColumns
from graph.core.execution.plan.shapes import Child, KeyedChild, KeyedSource, RowShape
from graph.core.permission import Access
from graph.core.types.node import node_type


class RowParts:
    """`repeats` is True if a column is shown several times."""

    def __init__(self, projection: Projection, type_: GraphQLObjectType) -> None:
        self.projection = projection
        self.type_ = type_
        self.parts: dict[str, str] = {}
        self.children: list[Child] = []
        self.guards: list[str] = []
        self.names: dict[str, object] = {}
        self.texts: list[int] = []
        self.repeats = False

    def add_type_name(self, name: str) -> None:
        self.parts[name] = repr(self.type_.name)

    def add_id(self, name: str) -> None:
        prefix = f"{node_type(self.projection.table).prefix}_"
        self.parts[name] = f"{prefix!r} + r[{self.projection.index('id')}].hex"

    def add_column(
        self, name: str, column: str, field: GraphQLField, others: Access | None = None
    ) -> None:
        """`others` is the access to the column in rows of other users; without it, it is null."""
        known = len(self.projection)
        shown, text = leaf(self.projection, column, field, self.names)
        self.repeats = self.repeats or len(self.projection) == known
        if text is not None:
            self.texts.append(text)
        self.parts[name] = shown if others is None else self._guarded(shown, others)

    def add_child(self, name: str, source: KeyedSource, keys: tuple[str, ...]) -> None:
        places = tuple(self.projection.index(key) for key in keys)
        self._add_child(name, KeyedChild(source, places))

    def add_resolved(self, name: str, field: ResolvedField, columns: tuple[str, ...]) -> None:
        """What a resolver returns may be larger than what is read."""
        self._add_child(name, ResolvedColumns(field, self.projection, columns))
        self.repeats = True

    def _add_child(self, name: str, child: Child) -> None:
        self.parts[name] = f"a{len(self.children)}"
        self.children.append(child)

    def shape(self) -> RowShape:
        return RowShape(self.parts, self.children, self.guards, self.names, tuple(self.texts))

    def _guarded(self, shown: str, others: Access) -> str:
        number = len(self.guards)
        self.names[f"access_{number}"] = others
        self.guards.append(f"run.may(access_{number})")
        owner = self.projection.index("id")
        return f"({shown}) if g{number} or run.user_id == r[{owner}] else None"
