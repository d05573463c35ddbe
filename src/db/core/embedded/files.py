"""Files: the names in a folder, written to disk."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Write the names of files in a folder to disk, which survive a loss of power then."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
