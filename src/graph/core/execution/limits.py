"""Limits: the maximum size of an operation, checked before validation.

One pass visits every fragment once, however often it is used, so that a short document cannot cause
much work.
"""

from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from db.core.error_codes import ErrorCode
from graph.core.execution.bounds import Limits
from graph.core.types.errors import coded

INTROSPECTION = ("__schema", "__type")
INTROSPECTION_DEPTH = 15  # of the introspection query of common tools
MAX_REPEATED = 50  # validation compares each with each


class Size(NamedTuple):
    """The size of a selection with its fragments expanded. `repeated`: fields whose name is already
    in their selection set."""

    depth: int = 0
    introspection: int = 0
    root_fields: int = 0
    selections: int = 0
    aliases: int = 0
    directives: int = 0
    repeated: int = 0

    def below(self, node: FieldNode) -> "Size":
        depth, introspection, _, selections, aliases, directives, repeated = self
        depth += 1
        if node.name.value in INTROSPECTION:
            depth, introspection = 1, depth
        aliases += node.alias is not None
        return Size(depth, introspection, 1, selections + 1, aliases, directives, repeated)


NOTHING = Size()


def combined(sizes: list[Size]) -> Size:
    if not sizes:
        return NOTHING
    depths, introspections, *counted = zip(*sizes, strict=True)
    return Size(max(depths), max(introspections), *map(sum, counted))


class Measure:
    def __init__(self, document: DocumentNode) -> None:
        nodes = document.definitions
        self.fragments = {n.name.value: n for n in nodes if isinstance(n, FragmentDefinitionNode)}
        self.known: dict[str, Size] = {}

    def of(self, selection: SelectionSetNode | None) -> Size:
        """The size of a selection set. A fragment that uses itself counts as empty."""
        if selection is None:
            return NOTHING
        size = combined([self._one(node) for node in selection.selections])
        return size._replace(repeated=size.repeated + _repeated(selection))

    def _one(self, node: SelectionNode) -> Size:
        if isinstance(node, FragmentSpreadNode):
            size = self._fragment(node.name.value)
        else:
            size = self.of(getattr(node, "selection_set", None))
        if isinstance(node, FieldNode):
            size = size.below(node)
        if node.directives:
            size = size._replace(directives=size.directives + len(node.directives))
        return size

    def _fragment(self, name: str) -> Size:
        if name not in self.known:
            self.known[name] = NOTHING
            fragment = self.fragments.get(name)
            self.known[name] = self.of(fragment.selection_set if fragment else None)
        return self.known[name]


def _repeated(selection: SelectionSetNode) -> int:
    names = [(n.alias or n.name).value for n in selection.selections if isinstance(n, FieldNode)]
    return len(names) - len({*names})


def check(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    if len(document.definitions) > limits.definitions > 0:
        return [_refusal(limits.definitions, "operations and fragments")]
    measure = Measure(document)
    operations = [n for n in document.definitions if isinstance(n, OperationDefinitionNode)]
    return [
        error for node in operations for error in _too_much(measure.of(node.selection_set), limits)
    ]


def _too_much(size: Size, limits: Limits) -> list[GraphQLError]:
    counted = {
        "levels": (size.depth, limits.depth),
        "levels of introspection": (size.introspection, INTROSPECTION_DEPTH),
        "root fields": (size.root_fields, limits.root_fields),
        "fields": (size.selections, limits.selections),
        "aliases": (size.aliases, limits.aliases),
        "directives": (size.directives, limits.directives),
        "repeated fields": (size.repeated, MAX_REPEATED),
    }
    return [
        _refusal(most, things) for things, (number, most) in counted.items() if number > most > 0
    ]


def _refusal(most: int, things: str) -> GraphQLError:
    message = f"The operation is too large: at most {most} {things} are allowed."
    return coded(message, ErrorCode.QUERY_TOO_COMPLEX)
