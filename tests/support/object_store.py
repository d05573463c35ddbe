"""Object store: a server that is compatible with S3, in a process of its own, with one bucket."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from obstore.store import S3Store

from support.nodejs import BINARIES, TESTS, installed

FOLDER = TESTS / "object_store"
BUCKET = "media"


@contextmanager
def object_store(folder: Path) -> Iterator[S3Store]:
    """Within the context, the environment names the server. It does not check signatures."""
    asyncio.run(installed(FOLDER))
    command = [BINARIES / "node", "serve.mjs", str(folder), BUCKET]
    with (
        subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            for name, value in {
                "AWS_ACCESS_KEY_ID": "S3RVER",
                "AWS_SECRET_ACCESS_KEY": "S3RVER",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
                "AWS_ALLOW_HTTP": "true",
            }.items():
                patch.setenv(name, value)
            yield S3Store(BUCKET)
        finally:
            server.terminate()


def keys(store: S3Store) -> list[str]:
    return sorted(str(each["path"]) for each in store.list().collect())


def content(store: S3Store, key: str) -> bytes:
    return bytes(store.get(key).bytes())
