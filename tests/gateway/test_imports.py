"""A gateway that serves holds no library that it does not use: each takes megabytes."""

import subprocess
import sys

SERVING = """
import sys
from db import Database
from gateway.process import configuration
from gateway.settings import Settings

configuration.uvicorn_config(Settings(), Database("postgresql://a/b"))
print(*sorted({"alembic", "mako", "jwt", "cryptography", "httpx2"} & sys.modules.keys()))
"""


def test_migrating_and_tokens_of_an_issuer_are_imported_when_they_are_needed() -> None:
    command = [sys.executable, "-c", SERVING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
