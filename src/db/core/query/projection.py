"""Projection: the columns of a table that one statement selects, each in the form it needs."""

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sqlalchemy import Float, Text, cast, func, literal_column

from db.core.table import Column, Expression, Table

if TYPE_CHECKING:
    from db.core.query.listing import ListArgs


class Nested(NamedTuple):
    """What a printed row depends on: the arguments of the pages within it, and which columns of
    other users are shown."""

    pages: tuple["ListArgs", ...] = ()
    shown: tuple[bool, ...] = ()


NOT_NESTED = Nested()


class Form(StrEnum):
    """How a column is selected: its value, cast to a 64-bit float or to text, or as a time in UTC
    without a time zone, which the driver decodes faster."""

    VALUE = "value"
    FLOAT = "float"
    TEXT = "text"
    UTC = "utc"


class Printed(Protocol):
    """A whole row, printed by one expression."""

    def expression(self, nested: Nested) -> Expression: ...


class Projection:
    """Columns are added while a statement is planned. `index` is the place of each in its rows."""

    def __init__(self, table: type[Table]) -> None:
        self.table = table
        self.named = {column.name: column for column in table.columns()}
        self.places: dict[tuple[str, Form] | Printed, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.named

    def __len__(self) -> int:
        return len(self.places)

    def column(self, name: str) -> Column:
        return self.named[name]

    def index(self, name: str, form: Form = Form.VALUE) -> int:
        """The place of a column in the rows, which is added if it is not selected yet."""
        return self.places.setdefault((name, form), len(self.places))

    def add(self, row: Printed) -> int:
        """The place of a printed row."""
        return self.places.setdefault(row, len(self.places))

    def selected(self, nested: Nested = NOT_NESTED) -> list[Expression]:
        """The columns to select, labelled c0, c1 … so that none is selected by its name."""
        return [
            self._expression(selected, nested).label(f"c{place}")
            for selected, place in self.places.items()
        ]

    def _expression(self, selected: tuple[str, Form] | Printed, nested: Nested) -> Expression:
        if isinstance(selected, tuple):
            name, form = selected
            return _shown(self.named[name], form)
        return selected.expression(nested)


def _shown(column: Column, form: Form) -> Expression:
    match form:
        case Form.FLOAT:
            return cast(column, Float(53))
        case Form.TEXT:
            return cast(column, Text)
        case Form.UTC:
            return func.timezone(literal_column("'UTC'"), column)
        case Form.VALUE:
            return column.expression
