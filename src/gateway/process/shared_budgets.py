"""Shared budgets: an embedded Valkey, in which the workers of development count points together."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from gateway.process.embedded_valkey import embedded_valkey, is_installed
from gateway.settings import Settings


@contextmanager
def shared_budgets(settings: Settings) -> Iterator[Settings]:
    """The settings with a storage of budgets, if several workers need one and have none. It runs
    within the context. Without the extra `valkey`, each worker counts its share."""
    needs_one = settings.workers > 1 and settings.development and settings.budget_storage is None
    if not needs_one or not is_installed():
        yield settings
        return
    with embedded_valkey() as socket:
        storage = SecretStr(f"async+valkey+unix://{socket}") if socket else None
        yield settings.model_copy(update={"budget_storage": storage})
