"""The intervals of streams: declared once, and stated in the documents."""

import re
from pathlib import Path

import pytest

from gateway.protocols.websocket import PING_SECONDS
from graph.core.subscriptions.heartbeat import (
    DEAD_SECONDS,
    HEARTBEAT_SECONDS,
    PROXY_SECONDS,
    SILENCE_SECONDS,
)
from graph.schema import schema

ROOT = Path(__file__).parents[2]
HEARTBEAT, DEAD = f"{HEARTBEAT_SECONDS:g}", f"{DEAD_SECONDS:g}"


def test_a_heartbeat_precedes_all_that_waits_for_one() -> None:
    assert PING_SECONDS == HEARTBEAT_SECONDS
    assert HEARTBEAT_SECONDS < SILENCE_SECONDS < PROXY_SECONDS <= DEAD_SECONDS


@pytest.mark.parametrize(
    ("document", "stated"),
    [
        ("docs/clients.md", f"sent every {HEARTBEAT} seconds. If no message comes for {DEAD},"),
        ("docs/clients.md", f"| {DEAD} seconds without a message | treats it as an interruption"),
        ("docs/clients.md", f"keep_alive_timeout={DEAD},"),
        ("docs/clients.md", f"dead after | {DEAD} seconds without"),
        ("docs/operations.md", f"heartbeat every {HEARTBEAT} s and is never silent for more than"),
        ("docs/operations.md", f"for more than {SILENCE_SECONDS:g} s: set the read timeout to"),
        ("docs/operations.md", f"read timeout to {PROXY_SECONDS:g} s or more"),
        ("docs/architecture.md", f"Every {HEARTBEAT} s there is a HEARTBEAT"),
        ("docs/glossary.md", f"nothing changed for {HEARTBEAT} s;"),
        ("web/packages/live/src/resume.ts", f"SILENCE_MS = {DEAD}_000;"),
        ("tests/clients/follow.py", f"keep_alive_timeout={DEAD},"),
    ],
)
def test_documents_and_clients_state_it(document: str, stated: str) -> None:
    text = re.sub(r"\s+", " ", (ROOT / document).read_text())

    assert stated in text


def test_the_schema_describes_it() -> None:
    assert f"Sent every {HEARTBEAT} seconds" in schema.as_str()
