"""Groups: the pages of an aggregate with many groups."""

from typing import Annotated

from db.core.values import validation
from graph.core.types.field import argument

MAX_GROUPS = 1_000  # of one answer
MAX_SKIPPED = 1_000_000

First = Annotated[
    int,
    argument(f"Number of items to return, 0 to {MAX_GROUPS:,}.", validation.within(0, MAX_GROUPS)),
]
Skip = Annotated[
    int,
    argument(
        f"Number of items to leave out at the start, 0 to {MAX_SKIPPED:,}.",
        validation.within(0, MAX_SKIPPED),
    ),
]
