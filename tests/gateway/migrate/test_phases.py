"""Phases of migrations: those before the gateways are replaced, and those afterwards."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.core.schema import revisions
from db.core.schema.revisions import Phase
from support.migrate_command import Run

HEAD = revisions.head()
MIGRATION = '''"""{message}."""

from alembic import op

revision = "{number}"
down_revision = "{below}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("{statement}")


def downgrade() -> None:
    pass
'''


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A version that adds a column, moves its readers there, and then drops another one."""
    folder = tmp_path / "migrations"
    shutil.copytree(revisions.folder(), folder)
    steps = [
        ("9001", HEAD, "pre", "alter table users add column shoe_size int"),
        ("9002", "9001", "post", "alter table users drop column shoe_size"),
    ]
    for number, below, phase, statement in steps:
        text = MIGRATION.format(
            message="Change users", number=number, below=below, statement=statement
        )
        (folder / "versions" / f"2030_01_01_{number}_{phase}_change_users.py").write_text(text)
    monkeypatch.setattr(revisions, "PACKAGED", folder)
    revisions.phases.cache_clear()
    yield
    revisions.phases.cache_clear()


@pytest.mark.usefixtures("changed")
def test_phases_run_before_and_after_the_gateways_are_replaced(run: Run) -> None:
    assert run("up", "--phase", "pre") == (0, "The database is at revision 9001.\n", "")
    assert run("up", "--phase", "pre") == (0, "The database is at revision 9001.\n", "")
    assert run("up", "--phase", "post") == (0, "The database is at revision 9002.\n", "")
    assert run("up", "--phase", "pre") == (0, "The database is at revision 9002.\n", "")
    assert run.revision == "9002"


@pytest.mark.usefixtures("changed")
def test_without_a_phase_all_migrations_run(run: Run) -> None:
    assert run("up") == (0, "The database is at revision 9002.\n", "")


def test_a_revision_and_a_phase_exclude_each_other(run: Run) -> None:
    sentence = "Name a revision or a phase, not both.\n"
    assert run("up", HEAD, "--phase", "pre") == (2, "", sentence)


def test_every_migration_is_named_by_its_phase() -> None:
    """Those of before decision 67 are not."""
    unnamed = [number for number, phase in revisions.phases().items() if phase is None]
    assert [number for number in unnamed if number > revisions.UNNAMED] == []


def test_the_first_phase_ends_before_the_migrations_of_the_second() -> None:
    assert revisions.newest(Phase.PRE) <= revisions.newest(Phase.POST) == HEAD
