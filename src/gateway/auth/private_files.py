"""Private files: files that only their owner can read, written atomically."""

import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile


def write(path: Path, content: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:  # mkstemp makes it 0600
        file.write(content)
    os.replace(file.name, path)


def secret(path: Path) -> str:
    """The secret in a file, created if missing. Concurrent callers get the same secret."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        write(draft, secrets.token_hex(32) + "\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
