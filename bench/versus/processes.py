"""Processes: CPU and memory of a process with its children, from /proc, and cores to run on."""

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = 1024  # kB in a MB
IDLE_SHARE = 0.1  # of a core; a server that uses less has answered all clients
LOOK_SECONDS = 0.2
DRAIN_SECONDS = 60


class Cores(NamedTuple):
    """The core of the server, and that of PostgreSQL and the load generator; None if there is only
    one core, where nothing is pinned."""

    server: int | None
    others: int | None

    def __str__(self) -> str:
        if self.server is None:
            return "one core for all processes"
        return f"server on core {self.server}, wrk and PostgreSQL on core {self.others}"


class Process(NamedTuple):
    parent: int
    ticks: int  # with those of ended children


def cores() -> Cores:
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1]) if len(usable) > 1 else Cores(None, None)


def pinned(core: int | None, command: list[str]) -> list[str]:
    """The command that runs another on one core."""
    return command if core is None else ["taskset", "--cpu-list", str(core), *command]


def pin(root: int, core: int | None) -> None:
    """Move running processes to one core; those that they start follow."""
    if core is not None:
        for pid in tree(root):
            with suppress(ProcessLookupError):
                os.sched_setaffinity(pid, {core})


def tree(root: int) -> list[int]:
    """A process and all below it."""
    processes = _processes()
    found = [root] if root in processes else []
    for pid in found:
        found += [child for child, process in processes.items() if process.parent == pid]
    return found


def cpu_seconds(root: int) -> float:
    processes = _processes()
    return sum(processes[pid].ticks for pid in tree(root) if pid in processes) / TICKS


def megabytes(root: int, field: str = "VmRSS") -> float:
    """Resident memory of a process and all below it; `VmHWM` is the most so far."""
    return sum(_kilobytes(pid, field) for pid in tree(root)) / PAGE


def machine_seconds() -> float:
    """CPU seconds that all processes of the machine have used."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / TICKS


def own_seconds() -> float:
    """CPU seconds of this process and of its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def drain(root: int) -> None:
    """Wait until a server is done with what the last clients left behind."""
    deadline = time.monotonic() + DRAIN_SECONDS
    busy = True
    while busy and time.monotonic() < deadline:
        before = cpu_seconds(root)
        time.sleep(LOOK_SECONDS)
        busy = cpu_seconds(root) - before > IDLE_SHARE * LOOK_SECONDS


def machine() -> str:
    """The model and number of processors."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{model[1] if model else 'unknown processor'}, {os.cpu_count()} cores"


def _processes() -> dict[int, Process]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            found[int(folder.name)] = Process(int(fields[1]), sum(map(int, fields[11:15])))
    return found


def _kilobytes(pid: int, field: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return 0
    value = re.search(rf"{field}:\s+(\d+)", text)
    return int(value[1]) if value else 0
