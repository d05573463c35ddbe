"""Limits: what a document may cost before anything of it is executed.

One pass that looks at every fragment once, however often it is spread, so that a short document
cannot be long work. Numbers saturate: what counts is whether they pass the limit.
"""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
)
from graphql.language import SelectionSetNode

from graph.core.errors import coded

MAX_TOKENS = 2_000
MAX_DEPTH = 15
MAX_SELECTIONS = 5_000
MAX_ROOT_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Size:
    """How deep a selection goes, and how many fields it has once fragments are expanded."""

    depth: int
    selections: int


class Measure:
    """Measures the operations of one document."""

    def __init__(self, document: DocumentNode) -> None:
        nodes = document.definitions
        self.fragments = {n.name.value: n for n in nodes if isinstance(n, FragmentDefinitionNode)}
        self.known: dict[str, Size] = {}

    def of(self, selection: SelectionSetNode | None) -> Size:
        """The size of a selection set; a fragment that spreads itself counts as empty there."""
        sizes = [self._one(node) for node in selection.selections] if selection else []
        depth = max((size.depth for size in sizes), default=0)
        total = min(sum(size.selections for size in sizes), MAX_SELECTIONS + 1)
        return Size(depth, total)

    def _one(self, node: object) -> Size:
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        inner = self.of(getattr(node, "selection_set", None))
        own = int(isinstance(node, FieldNode))
        return Size(inner.depth + own, inner.selections + own)

    def _fragment(self, name: str) -> Size:
        if name not in self.known:
            self.known[name] = Size(0, 0)
            fragment = self.fragments.get(name)
            self.known[name] = self.of(fragment.selection_set if fragment else None)
        return self.known[name]


def check(document: DocumentNode) -> list[GraphQLError]:
    """What is too much in a document."""
    measure = Measure(document)
    return [error for node in document.definitions for error in _too_much(measure, node)]


def _too_much(measure: Measure, definition: object) -> list[GraphQLError]:
    selection = getattr(definition, "selection_set", None)
    size = measure.of(selection)
    limits = {
        "levels": (size.depth, MAX_DEPTH),
        "fields": (size.selections, MAX_SELECTIONS),
        "root fields": (len(selection.selections) if selection else 0, MAX_ROOT_FIELDS),
    }
    return [
        coded(
            f"The operation is too large: at most {most} {what} are allowed.", "QUERY_TOO_COMPLEX"
        )
        for what, (number, most) in limits.items()
        if number > most
    ]
