"""Partial records: the columns of a row that a hand-written resolver reads, and no others."""

from collections.abc import Sequence
from types import SimpleNamespace

from db.core.query.projection import Projection
from db.core.session.direct import DirectRow
from graph.core.execution.plan.completion import ResolvedField
from graph.core.execution.plan.run import Run, Unplanned


class ResolvedColumns:
    """A field of rows whose resolver is called with a record of some columns."""

    def __init__(
        self, field: ResolvedField, projection: Projection, names: tuple[str, ...]
    ) -> None:
        """Raises Unplanned for a name that is not a column."""
        if missing := [name for name in names if name not in projection]:
            raise Unplanned(f"{missing[0]} is not a column")
        self.field = field
        self.places = {name: projection.index(name) for name in names}

    async def values(self, run: Run, rows: Sequence[DirectRow]) -> list[object]:
        return await self.field.values(run, [self._record(row) for row in rows])

    def _record(self, row: DirectRow) -> SimpleNamespace:
        return SimpleNamespace(**{name: row[place] for name, place in self.places.items()})
