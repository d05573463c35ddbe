"""Echo: stored events of at least a severity, as lines of the log: `[ERROR] [source] type`.

Sources and types come from callers. Only names of letters, digits and a few signs are shown, so a
line has the form that it seems to have; the time, the user and the payload of an event are not.
"""

import re
import time
from typing import cast

import structlog

from db.core import secret_detection
from db.core.ingest.rows import IngestRow
from db.core.values import json
from db.events.severities import EventSeverity

MOST = 100  # lines a second
OTHER = "(other)"
LEVELS = {severity: number for number, severity in enumerate(EventSeverity)}
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")

log = structlog.get_logger()


class Echo:
    """Writes lines about events of at least a severity; none without one."""

    def __init__(self, least: EventSeverity | None = None) -> None:
        self.least = len(LEVELS) if least is None else LEVELS[least]
        self.second = 0
        self.lines = self.left_out = 0

    def write(self, severity: EventSeverity, source: str, event_type: str) -> None:
        if LEVELS[severity] >= self.least and self._has_room():
            line = f"[{severity}] [{_shown(source)}] {_shown(event_type)}"
            getattr(log, severity.lower())(line)

    def write_row(self, row: IngestRow) -> None:
        """Write a line about an event that a batch writer stored."""
        if self.least < len(LEVELS):
            event = cast("dict[str, str]", json.loads(row.text))  # that passed its checks
            self.write(EventSeverity(event["severity"]), event["source"], event["event_type"])

    def _has_room(self) -> bool:
        second = int(time.monotonic())
        if second != self.second:
            if self.left_out:
                log.warning("events were not echoed, they were too many", count=self.left_out)
            self.second, self.lines, self.left_out = second, 0, 0
        self.lines += 1
        self.left_out += self.lines > MOST
        return self.lines <= MOST


def _shown(name: str) -> str:
    is_plain = _NAME.fullmatch(name) and not secret_detection.looks_secret(name)
    return name if is_plain else OTHER


_of_process = Echo()


def use(echo: Echo) -> None:
    """Replace the echo of this process, at its start."""
    global _of_process
    _of_process = echo


def write(severity: EventSeverity, source: str, event_type: str) -> None:
    _of_process.write(severity, source, event_type)


def write_row(row: IngestRow) -> None:
    _of_process.write_row(row)
