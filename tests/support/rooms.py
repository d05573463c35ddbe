"""Rooms: the parts that the source consists of, and what they import of each other.

In `gateway`, `graph/core` and `db/core` each folder is a room, and so is each file beside it. The
nouns of `graph` are one room together, those of `db` another; the importer has its own.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FLAT = ("gateway", "graph.core", "db.core")  # their folders and files are rooms
NOUNS = ("graph", "db")
OWN = {"graph.schema", "db.importer"}  # beside the nouns, and none of them

Arrows = Mapping[str, set[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of the source."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def room(self) -> str:
        return room_of(self.name)


def modules(source: Path) -> dict[str, Module]:
    """Every module under a folder, by its full name."""
    found = (Module(_name(file.relative_to(source)), file) for file in sorted(source.rglob("*.py")))
    return {module.name: module for module in found}


def room_of(name: str) -> str:
    """The room of a module, by its full name."""
    for own in OWN:
        if name == own or name.startswith(f"{own}."):
            return own
    for package in FLAT:
        if name.startswith(f"{package}."):
            first = name.removeprefix(f"{package}.").partition(".")[0]
            return f"{package}.{first}"
    layer = name.partition(".")[0]
    return f"{layer}.nouns" if layer in NOUNS and name not in FLAT else name


def functions(module: Module) -> Iterator[Function]:
    """Every function of a module, methods and nested ones included."""
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def imports(module: Module, known: Mapping[str, Module]) -> set[str]:
    """The names of the known modules that a module imports, anywhere in its text."""
    found = {name for node in ast.walk(module.tree) for name in _imported(node, known)}
    return found & set(known)


def _imported(node: ast.AST, known: Mapping[str, Module]) -> Iterator[str]:
    """The modules that a statement imports: `from a import b` is `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = (f"{node.module}.{alias.name}" for alias in node.names)
        yield from (name if name in known else node.module for name in names)


def arrows(known: Mapping[str, Module]) -> dict[str, set[str]]:
    """For each room the other rooms that it imports."""
    found: dict[str, set[str]] = {module.room: set() for module in known.values()}
    for module in known.values():
        rooms = {room_of(name) for name in imports(module, known)}
        found[module.room] |= rooms - {module.room}
    return found


def cycles(found: Arrows) -> list[list[str]]:
    """The groups of rooms that import each other, directly or in a circle."""
    reach = {room: _reachable(room, found) for room in found}
    groups = {frozenset({a, *(b for b in reach[a] if a in reach[b])}) for a in reach}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reachable(room: str, found: Arrows) -> set[str]:
    seen: set[str] = set()
    waiting = [*found[room]]
    while waiting:
        if (other := waiting.pop()) not in seen:
            seen.add(other)
            waiting += found[other]
    return seen


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
