"""Menus: the different values of a field, for selections in front ends."""

from collections.abc import Callable
from typing import Annotated

from db.core.query.batch import Column
from db.core.query.distinct import distinct_values
from db.core.table import AnySelect
from db.core.values import validation
from graph.core.context import Info, rows
from graph.core.permission import Access
from graph.core.types.field import argument, field
from graph.core.types.groups import First

MENU = 100  # values by default
COST = 20

After = Annotated[
    str | None,
    argument("Return the values after this one.", validation.string(1_000, 0)),
]
Select = Callable[[str | None, int], AnySelect]  # after a value, at most so many


def menu(column: Column, description: str, access: Access) -> list[str]:
    """Declare a field with the values of a column that an index begins with."""
    return menu_of(lambda after, most: distinct_values(column, after, most), description, access)


def menu_of(selected: Select, description: str, access: Access) -> list[str]:
    async def resolve(info: Info, first: First = MENU, after: After = None) -> list[str]:
        return [value for (value,) in await rows(info, selected(after, first))]

    shown: list[str] = field(f"{description} In alphabetical order.", access, resolve, cost=COST)
    return shown
