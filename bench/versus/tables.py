"""Tables: medians of all rounds as Markdown, and the shares of the gateway."""

import statistics
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

from versus.load import Figures
from versus.operations import OPERATIONS
from versus.servers import LIMIT, OURS, OURS_DEFAULT, PEERS, SERVERS

MUCH = 0.25  # cores used by others, from which figures should not be compared
NONE = "-"
SHORTEST_MS = 0.001  # of CPU; less than a request takes


class Cell(NamedTuple):
    server: str
    operation: str
    connections: int


@dataclass(frozen=True)
class Start:
    """What one start of a server found."""

    server: str
    ready_seconds: float
    idle_mb: float
    peak_mb: float


Rounds = Mapping[Cell, Sequence[Figures]]
Medians = Mapping[Cell, Figures]
Value = Callable[[Figures], float]  # of which more is better


def per_second(figures: Figures) -> float:
    return figures.requests_per_second


def per_cpu_second(figures: Figures) -> float:
    return 1000 / max(figures.server_cpu_ms, SHORTEST_MS)


def medians(rounds: Rounds) -> dict[Cell, Figures]:
    """The median of each figure of all rounds."""
    return {cell: median(each) for cell, each in rounds.items() if each}


def median(rounds: Sequence[Figures]) -> Figures:
    columns = zip(*map(astuple, rounds), strict=True)
    return Figures(*map(statistics.median, columns))


def best_peer(
    found: Medians, operation: str, connections: int, value: Value = per_second
) -> str | None:
    """The peer with the highest value; LIMIT is not a peer."""
    rates = {
        name: value(found[cell])
        for name in PEERS
        if (cell := Cell(name, operation, connections)) in found
    }
    return max(rates, key=rates.__getitem__, default=None)


def share(found: Medians, ours: Cell, other: str | None, value: Value = per_second) -> float | None:
    """The value of one cell, as a share of that of another server."""
    mine, theirs = found.get(ours), found.get(ours._replace(server=other or ""))
    if mine is None or theirs is None:
        return None
    return value(mine) / value(theirs)


def report(rounds: Rounds, starts: Collection[Start]) -> Iterator[str]:
    """The lines of all tables."""
    found = medians(rounds)
    for connections in sorted({cell.connections for cell in found}):
        yield from rates_table(found, connections)
        yield from cpu_table(found, connections)
        for title, value in DETAILS.items():
            yield from table(f"{title}, {connections} connections", found, connections, value)
    yield from start_table(starts)
    yield from remarks(rounds)


DETAILS: Mapping[str, Callable[[Figures], str]] = {
    "p50 in ms": lambda figures: f"{figures.p50_ms:,.1f}",
    "p99 in ms": lambda figures: f"{figures.p99_ms:,.1f}",
    "CPU of PostgreSQL in ms per request": lambda figures: f"{figures.postgres_cpu_ms:,.2f}",
}


def rates_table(found: Medians, connections: int) -> Iterator[str]:
    title = f"Answers per second, {connections} connections"
    yield from table(title, found, connections, lambda figures: rate(figures.requests_per_second))
    yield from share_rows(found, connections, per_second, "{ours} / {other}")


def cpu_table(found: Medians, connections: int) -> Iterator[str]:
    """With shares of answers per second of CPU, which depend least on other load."""
    title = f"CPU of the server in ms per request, {connections} connections"
    yield from table(title, found, connections, lambda figures: f"{figures.server_cpu_ms:,.2f}")
    yield from share_rows(found, connections, per_cpu_second, "{other} / {ours}")


def share_rows(found: Medians, connections: int, value: Value, label: str) -> Iterator[str]:
    """The shares of the gateway, as far as both servers of a share were measured."""
    operations = operations_of(found, connections)
    best = [best_peer(found, operation, connections, value) for operation in operations]
    for ours, name, others in (
        (OURS, "LIMIT", [LIMIT] * len(best)),
        (OURS, "best peer", best),
        (OURS, OURS_DEFAULT, [OURS_DEFAULT] * len(best)),
        (OURS_DEFAULT, "LIMIT", [LIMIT] * len(best)),
        (OURS_DEFAULT, "best peer", best),
    ):
        cells = [Cell(ours, operation, connections) for operation in operations]
        pairs = zip(cells, others, strict=True)
        shares = [share(found, cell, other, value) for cell, other in pairs]
        if any(shares):
            yield row(f"**{label.format(ours=ours, other=name)}**", map(fraction, shares))
    if any(best):
        yield row("best peer", (peer or NONE for peer in best))


def table(
    title: str, found: Medians, connections: int, value: Callable[[Figures], str]
) -> Iterator[str]:
    """One row for each server, one column for each operation."""
    operations = operations_of(found, connections)
    yield from head(title, operations)
    for server in servers_of(cell.server for cell in found):
        cells = [found.get(Cell(server, operation, connections)) for operation in operations]
        yield row(server, (value(figures) if figures else NONE for figures in cells))


def start_table(starts: Collection[Start]) -> Iterator[str]:
    yield from head("Start and memory", ("ready after s", "idle MB", "peak MB"))
    for server in servers_of(start.server for start in starts):
        own = [start for start in starts if start.server == server]
        ready = statistics.median(start.ready_seconds for start in own)
        idle, peak = max(start.idle_mb for start in own), max(start.peak_mb for start in own)
        yield row(server, (f"{ready:.1f}", f"{idle:.0f}", f"{peak:.0f}"))


def remarks(rounds: Rounds) -> Iterator[str]:
    """What a reader must know before comparing figures."""
    failed = {cell: sum(each.failed for each in found) for cell, found in rounds.items()}
    names = [
        f"{cell.server} {cell.operation} at {cell.connections}: {count:.0f}"
        for cell, count in failed.items()
        if count
    ]
    foreign = max((each.foreign_cores for found in rounds.values() for each in found), default=0)
    advice = " Too many to compare figures: run it again." if foreign >= MUCH else ""
    yield ""
    yield f"Failed requests: {', '.join(names) or 'none'}."
    yield f"Cores used by other processes meanwhile: at most {foreign:.2f}.{advice}"


def servers_of(names: Iterable[str]) -> list[str]:
    """Each name once, in the order of `SERVERS`."""
    present = set(names)
    return [name for name in SERVERS if name in present]


def operations_of(found: Medians, connections: int) -> list[str]:
    measured = {cell.operation for cell in found if cell.connections == connections}
    return [operation for operation in OPERATIONS if operation in measured]


def head(title: str, columns: Sequence[str]) -> Iterator[str]:
    yield from ("", f"### {title}", "", row("", columns), "|---|" + "---:|" * len(columns))


def row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def fraction(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"
