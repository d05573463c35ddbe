"""Exit codes: how a command fails, with a message and a code."""

from enum import IntEnum

EXIT_CODES = (
    "Exit codes: 0 success, 1 problems were found, 2 wrong usage or invalid settings, 3 the "
    "database cannot be used, 4 the port cannot be opened."
)


class ExitCode(IntEnum):
    """The exit codes of `dreamnet`."""

    OK = 0
    PROBLEMS = 1
    USAGE = 2
    DATABASE = 3
    PORT = 4


class CommandFailed(Exception):
    """The command failed; the message is shown to the user."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code
