"""House: the structure of the code in figures, to compare before and after a change.

make house
PYTHONPATH=tests python bench/house.py ../another-checkout
"""

import ast
import re
import statistics
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from support.rooms import Function, Module, arrows, cycles, functions, imports, modules, room_of

ROW = "{:<28} {:>5} {:>6} {:>5} {:>8}\n"
FACT = "{:<28} {}\n"
Known = Mapping[str, Module]


def report(source: Path) -> Iterator[str]:
    """The lines to print about a source folder."""
    known = modules(source)
    yield from room_table(known)
    yield "\n"
    yield from function_facts(known.values())
    yield from arrow_facts(known)


def room_table(known: Known) -> Iterator[str]:
    """Files, lines and `Any` of each room, and how many other rooms it imports."""
    found = arrows(known)
    yield ROW.format("room", "files", "lines", "Any", "imports")
    for room in sorted(found):
        files = [module for module in known.values() if module.room == room]
        yield ROW.format(room, len(files), lines(files), any_count(files), len(found[room]))
    every, total = known.values(), sum(map(len, found.values()))
    yield ROW.format(f"{len(found)} rooms", len(every), lines(every), any_count(every), total)


def function_facts(files: Collection[Module]) -> Iterator[str]:
    """Docstrings and lengths of functions, in lines from `def` to the end."""
    found = [(length(f), module, f) for module in files for f in functions(module)]
    documented = sum(ast.get_docstring(f) is not None for _, _, f in found)
    lengths = sorted(length for length, _, _ in found)
    longest, module, function = max(found, key=lambda entry: entry[0])
    yield FACT.format("functions", len(found))
    yield FACT.format("  with a docstring", documented)
    yield FACT.format("  without a docstring", len(found) - documented)
    yield FACT.format("  lines, median", round(statistics.median(lengths)))
    yield FACT.format("  lines, p90", lengths[len(lengths) * 9 // 10])
    yield FACT.format("  longest", f"{longest} lines: {module.name}.{function.name}")


def arrow_facts(known: Known) -> Iterator[str]:
    """Import between rooms, and each group of rooms that import each other."""
    found = arrows(known)
    yield FACT.format("imports between rooms", sum(map(len, found.values())))
    groups = cycles(found)
    yield FACT.format("cycles between rooms", len(groups))
    for group in groups:
        yield f"  {len(group)} rooms: {', '.join(group)}\n"
        yield from (f"    {line}\n" for line in inside(group, known))


def inside(group: Collection[str], known: Known) -> list[str]:
    """The imports that make a cycle, as `module -> module`."""
    return sorted(
        f"{module.name} -> {name}"
        for module in known.values()
        for name in imports(module, known)
        if {module.room, room_of(name)} <= set(group) and module.room != room_of(name)
    )


def lines(files: Collection[Module]) -> int:
    return sum(module.text.count("\n") for module in files)


def any_count(files: Collection[Module]) -> int:
    return sum(len(re.findall(r"\bAny\b", module.text)) for module in files)


def length(function: Function) -> int:
    assert function.end_lineno  # noqa: S101  it was parsed from text
    return function.end_lineno - function.lineno + 1


if __name__ == "__main__":
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent.parent
    sys.stdout.writelines(report(root / "src"))
