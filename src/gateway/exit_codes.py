"""Exits: how a command ends when it cannot do its work: one sentence and a number."""

from enum import IntEnum

EXIT_CODES = (
    "Exit codes: 0 all is well, 1 problems were found, 2 wrong usage or settings, 3 the database "
    "cannot be used, 4 the port cannot be listened on."
)


class ExitCode(IntEnum):
    """What the exit code of `dreamnet` means."""

    OK = 0
    PROBLEMS = 1
    USAGE = 2
    DATABASE = 3
    PORT = 4


class CommandFailed(Exception):
    """The command cannot go on; the message is the sentence for whoever ran it."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code
