"""Schema changes: those that break clients of released schemas.

A release keeps its schema in a file named after it. An element may disappear in a minor version if
all releases of the minor version before deprecate it.
"""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, Self

from graphql import (
    DocumentNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    GraphQLSchema,
    InputValueDefinitionNode,
    NamedTypeNode,
    Node,
    TypeDefinitionNode,
    Visitor,
    VisitorAction,
    build_ast_schema,
    find_breaking_changes,
    parse,
    visit,
)

from gateway.exit_codes import CommandFailed, ExitCode

ROOTS = {"Query", "Mutation", "Subscription"}


BREAKING = (
    "Deprecate it for a minor version first: docs/deprecations.md. While the release is not "
    "published yet, write its schema again: make release."
)


class Version(NamedTuple):
    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(*map(int, text.split(".")[:3]))

    @property
    def line(self) -> tuple[int, int]:
        return self.major, self.minor


def compare(folder: Path, schema: GraphQLSchema) -> str:
    """Compare a schema with those of the newest minor version. Raises CommandFailed if clients of
    one would break."""
    now, found = Version.parse(version("dreamnet-gateway")), releases(folder)
    breaking = [
        f"{file.name}: {change}"
        for number, file in found.items()
        for change in breaking_changes(file.read_text(), schema, now.line > number.line)
    ]
    if breaking:
        raise CommandFailed("\n".join([*breaking, BREAKING]), ExitCode.PROBLEMS)
    return f"No client of {', '.join(file.name for file in found.values()) or 'a release'} breaks."


def releases(folder: Path) -> dict[Version, Path]:
    """The schemas of the newest minor version in a folder, by version."""
    found = {Version.parse(file.stem): file for file in folder.glob("*.graphql")}
    newest = max((version.line for version in found), default=None)
    return {version: found[version] for version in sorted(found) if version.line == newest}


def breaking_changes(released: str, schema: GraphQLSchema, is_later_minor: bool) -> list[str]:
    """The changes that break clients of a released schema. In a later minor version, clients use
    nothing that it deprecates."""
    document = parse(released)
    before = without_deprecated(document) if is_later_minor else document
    changes = find_breaking_changes(build_ast_schema(before, assume_valid=True), schema)
    return [change.description for change in changes]


def without_deprecated(document: DocumentNode) -> DocumentNode:
    """The schema without deprecated elements, and without types that only they use."""
    document = visit(document, _Undeprecated())
    used = _used(document)
    kept = [each for each in document.definitions if _name(each) in used or _name(each) is None]
    return DocumentNode(definitions=tuple(kept))


class _Undeprecated(Visitor):
    def enter(self, node: Node, *_: object) -> VisitorAction:
        can_be = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode
        if isinstance(node, can_be):
            names = {directive.name.value for directive in node.directives or ()}
            return self.REMOVE if "deprecated" in names else None
        return None


def _used(document: DocumentNode) -> set[str]:
    """The names of the types that operations can reach."""
    references = {
        name: set(_references(each)) for each in document.definitions if (name := _name(each))
    }
    by_interface = {
        interface: {name for name, others in references.items() if interface in others}
        for interface in references
    }
    used: set[str] = set()
    found = ROOTS & references.keys()
    while found:
        used |= found
        found = {
            other
            for name in found
            for other in references[name] | by_interface[name]
            if other in references
        } - used
    return used


def _name(definition: Node) -> str | None:
    return definition.name.value if isinstance(definition, TypeDefinitionNode) else None


def _references(definition: Node) -> Iterator[str]:
    found: list[str] = []

    class Names(Visitor):
        def enter_named_type(self, node: NamedTypeNode, *_: object) -> None:
            found.append(node.name.value)

    visit(definition, Names())
    yield from found
