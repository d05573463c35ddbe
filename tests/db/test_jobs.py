"""Jobs: the schema of procrastinate is that of our migration."""

from hashlib import sha256
from importlib.resources import files

SCHEMA = "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"


def test_an_upgrade_of_the_library_needs_a_migration() -> None:
    """If the schema of the library has changed, write a migration with the difference, keep the
    statements of migration 0034, and change the sum."""
    schema = files("procrastinate") / "sql" / "schema.sql"
    assert sha256(schema.read_bytes()).hexdigest() == SCHEMA
