"""Shapes: how the objects of one type look, made for all objects of a level at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from db.core.connections.meter import Meter
from db.core.session.direct import DirectRow
from graph.core.execution.plan.leaves import NAMES
from graph.core.execution.plan.run import Irregular, Run, together

Rows = Sequence[Any]  # of the driver, records, or values of resolvers


class Shape(Protocol):
    """Makes objects from rows, or from values of resolvers."""

    async def objects(self, run: Run, rows: Rows) -> list[object]: ...


def zipped(names: Collection[str], columns: Sequence[list[object]], count: int) -> list[object]:
    """`count` objects from the values of each of their fields. They are empty without fields, which
    `@skip` may leave out."""
    if not names:
        return [{} for _ in range(count)]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


class KeyedSource(Protocol):
    """The values of a field, by a key in each parent."""

    async def values(self, run: Run, keys: list[object]) -> list[object]: ...


class Builder(Protocol):
    """A generated function."""

    def __call__(
        self, rows: Sequence[DirectRow], run: Run, *children: list[object]
    ) -> list[object]: ...


class Child(Protocol):
    """A field of rows whose values are found apart."""

    async def values(self, run: Run, rows: Sequence[DirectRow]) -> list[object]: ...


class KeyedChild:
    """A field of rows whose values are read by a key in the row."""

    def __init__(self, source: KeyedSource, places: tuple[int, ...]) -> None:
        self.source = source
        self.places = places

    async def values(self, run: Run, rows: Sequence[DirectRow]) -> list[object]:
        if len(self.places) == 1:
            (place,) = self.places
            return await self.source.values(run, [row[place] for row in rows])
        keys = [tuple(row[place] for place in self.places) for row in rows]
        return await self.source.values(run, [None if None in key else key for key in keys])


class RowShape:
    """Objects made from the rows of one statement, by one generated comprehension.

    `parts` are the expressions of the fields for a row `r`, by response name. The values of the
    children are a0, a1 …, and `guards` are expressions that are evaluated once. `texts` are the
    places of texts, lists of texts and documents, as often as they are shown.
    """

    def __init__(
        self,
        parts: Mapping[str, str],
        children: Sequence[Child],
        guards: Sequence[str],
        names: Mapping[str, object],
        texts: Sequence[int],
    ) -> None:
        self.children = children
        self.texts = texts
        self.build = _builder(parts, len(children), guards, names)

    async def objects(self, run: Run, rows: Sequence[DirectRow]) -> list[object]:
        if not rows:
            return []
        if run.texts:
            self._count(rows, run.texts)
        children = await together([child.values(run, rows) for child in self.children])
        try:
            return self.build(rows, run, *children)
        except KeyError as error:
            raise Irregular("a stored value that the schema does not have") from error

    def _count(self, rows: Sequence[DirectRow], meter: Meter) -> None:
        """Count what is shown before it is made: a document is made for each place, and an object
        that is shown several times is encoded. Raises TooLarge."""
        for place in self.texts:
            meter.add(sum(_length(row[place]) for row in rows))
            meter.check()


def _length(value: str | Sequence[str | None] | None) -> int:
    if value is None or isinstance(value, str):
        return len(value or "")
    return sum(map(_length, value))


def _builder(
    parts: Mapping[str, str], children: int, guards: Sequence[str], names: Mapping[str, object]
) -> Builder:
    # Response names are GraphQL names, and all other source is made by this package.
    values = [f"a{n}" for n in range(children)]
    lines = [f"    g{n} = {guard}" for n, guard in enumerate(guards)]
    fields = ", ".join(f"{name!r}: {expression}" for name, expression in parts.items())
    variables = ", ".join(["r", *values])
    rows = f"zip(rows, {', '.join(values)})" if values else "rows"
    source = "\n".join(
        [
            f"def build({', '.join(['rows', 'run', *(f'{v}' for v in values)])}):",
            *lines,
            f"    return [{{{fields}}} for {variables} in {rows}]",
        ]
    )
    scope: dict[str, object] = {**NAMES, **names}
    exec(source, scope)  # noqa: S102  made of names of the schema, see above
    build: Builder = scope["build"]  # type: ignore[assignment]  # defined by the source
    return build
