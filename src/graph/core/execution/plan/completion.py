"""Completion: values of resolvers as the schema shows them, for all objects of a level at once.

Source: GraphQL specification, section 6.4.3, value completion.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import isawaitable
from operator import attrgetter
from typing import Any, Protocol

from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    Undefined,
    default_type_resolver,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, gather_with_cancel

from graph.core.context import Context, Info
from graph.core.execution.plan.run import Irregular, Run, in_slices, together
from graph.core.execution.plan.shapes import KeyedSource, Rows, zipped


class FieldPlace:
    """A field of an operation: where it is, for resolvers."""

    def __init__(
        self, parent: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode]
    ) -> None:
        self.parent = parent
        self.field = field
        self.nodes = nodes

    @property
    def name(self) -> str:
        return self.nodes[0].name.value

    def info(self, run: Run) -> GraphQLResolveInfo[Context]:
        """What resolvers are given about the execution: the same for all objects of a level."""
        if self not in run.infos:
            run.infos[self] = GraphQLResolveInfo(
                self.name,
                self.nodes,
                self.field.type,
                self.parent,
                Path(None, self.name, self.parent.name),
                run.operation.schema._schema,
                {},
                None,
                run.operation.node,
                run.variables,
                run.context,
                isawaitable,  # type: ignore[arg-type]  # narrows its argument as TypeGuard does
                None,
                None,  # type: ignore[arg-type]  # no resolver starts work that is not awaited
            )
        return run.infos[self]

    def strawberry_info(self, run: Run) -> Info:
        return Info(self.info(run), self.field.extensions["strawberry-definition"])


class Completer(Protocol):
    """Completes the values of one field."""

    async def complete(self, run: Run, values: list[object]) -> list[object]: ...


class Leaf:
    """Completes scalars and enums."""

    def __init__(self, type_: GraphQLLeafType) -> None:
        self.type_ = type_

    async def complete(self, _run: Run, values: list[object]) -> list[object]:
        show = self.type_.coerce_output_value
        shown: list[object] = []
        async for some in in_slices(values):
            shown += [None if value is None else _present(show(value)) for value in some]
        return shown


def _present(shown: object) -> object:
    if shown is None or shown is Undefined:
        raise Irregular("a value that its scalar does not show")
    return shown


class NonNull:
    """Completes values that cannot be null."""

    def __init__(self, inner: Completer) -> None:
        self.inner = inner

    async def complete(self, run: Run, values: list[object]) -> list[object]:
        completed = await self.inner.complete(run, values)
        if None in completed:
            raise Irregular("null in a field that is not nullable")
        return completed


class List:
    """Completes lists: the items of all of them at once."""

    def __init__(self, item: Completer) -> None:
        self.item = item

    async def complete(self, run: Run, values: list[object]) -> list[object]:
        lists = [None if value is None else _items(value) for value in values]
        items = [item for each in lists if each is not None for item in each]
        completed = iter(await self.item.complete(run, items))
        return [None if each is None else [next(completed) for _ in each] for each in lists]


def _items(value: object) -> list[object]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        raise Irregular("a list is not iterable")
    items = list(value)
    if any(isinstance(item, Exception) or isawaitable(item) for item in items):
        raise Irregular("an error in a list")
    return items


class Objects:
    """Completes objects of one type."""

    def __init__(self, type_: GraphQLObjectType, shape: "ObjectShape", place: FieldPlace) -> None:
        self.type_ = type_
        self.shape = shape
        self.place = place

    async def complete(self, run: Run, values: list[object]) -> list[object]:
        present = [value for value in values if value is not None]
        if (check := self.type_.is_type_of) is not None:
            info = self.place.info(run)
            if not all(check(value, info) for value in present):
                raise Irregular("an object of another type")
        made = iter(await self.shape.objects(run, present) if present else ())
        return [None if value is None else next(made) for value in values]


class AnyOf:
    """Completes objects of an interface or a union, type by type."""

    def __init__(
        self,
        type_: GraphQLAbstractType,
        place: FieldPlace,
        of_type: Callable[[str], Completer],
    ) -> None:
        self.type_ = type_
        self.resolve_type = type_.resolve_type or default_type_resolver
        self.place = place
        self.of_type = of_type

    async def complete(self, run: Run, values: list[object]) -> list[object]:
        places: dict[str, list[int]] = {}
        info = self.place.info(run)
        for place, value in enumerate(values):
            if value is not None:
                name = self.resolve_type(value, info, self.type_)
                if not isinstance(name, str):
                    raise Irregular("an object without a type")
                places.setdefault(name, []).append(place)
        completed: list[object] = [None] * len(values)
        made = await together(
            [
                self.of_type(name).complete(run, [values[place] for place in some])
                for name, some in places.items()
            ]
        )
        for some, objects in zip(places.values(), made, strict=True):
            for place, each in zip(some, objects, strict=True):
                completed[place] = each
        return completed


class ObjectField(Protocol):
    """One field of objects: its values."""

    async def values(self, run: Run, objects: Sequence[object]) -> list[object]: ...


class ObjectShape:
    """Objects made from records and values of resolvers; `fields` are by response name."""

    def __init__(self, fields: Mapping[str, ObjectField]) -> None:
        self.names = tuple(fields)
        self.fields = tuple(fields.values())

    async def objects(self, run: Run, rows: Rows) -> list[object]:
        if not rows:
            return []
        values = await together([field.values(run, rows) for field in self.fields])
        return zipped(self.names, values, len(rows))


class TypeName:
    """The field `__typename`."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def values(self, _run: Run, objects: Sequence[object]) -> list[object]:
        return [self.name] * len(objects)


class Attribute:
    """A field that shows an attribute of each object."""

    def __init__(self, name: str, completer: Completer) -> None:
        self.of = attrgetter(name)
        self.completer = completer

    async def values(self, run: Run, objects: Sequence[object]) -> list[object]:
        return await self.completer.complete(run, [self.of(each) for each in objects])


class KeyedField:
    """A field whose values are read by a key in each object."""

    def __init__(self, source: KeyedSource, keys: tuple[str, ...]) -> None:
        self.source = source
        self.of = attrgetter(*keys)
        self.width = len(keys)

    async def values(self, run: Run, objects: Sequence[object]) -> list[object]:
        keys: list[object] = [self.of(each) for each in objects]
        if self.width > 1:
            keys = [None if isinstance(key, tuple) and None in key else key for key in keys]
        return await self.source.values(run, keys)


class ResolvedField:
    """A field whose resolver is called for each object."""

    def __init__(self, place: FieldPlace, completer: Completer) -> None:
        self.place = place
        self.completer = completer

    async def values(self, run: Run, objects: Sequence[object]) -> list[object]:
        called: list[object] = []
        async for some in in_slices(objects):
            called += self.called(run, some)
        return await self.completer.complete(run, await awaited(called))

    def called(self, run: Run, objects: Sequence[object]) -> list[object]:
        """What the resolver returns, maybe to be awaited."""
        field, nodes = self.place.field, self.place.nodes
        arguments = get_argument_values(field, nodes[0], run.variables)
        resolve: Any = field.resolve  # each has parameters of its own
        info = self.place.info(run)
        return [resolve(each, info, **arguments) for each in objects]


async def awaited(results: list[object]) -> list[object]:
    waiting = [result for result in results if isawaitable(result)]
    if waiting:
        arrived = iter(await gather_with_cancel(*waiting))
        results = [next(arrived) if isawaitable(result) else result for result in results]
    if any(isinstance(result, Exception) for result in results):
        raise Irregular("a resolver returned an error")
    return results
