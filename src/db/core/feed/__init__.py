"""Feed: rows in the order of their commits, and readers that miss none of them.

The `seq` of a row follows the order in which rows become visible; migration 0004 ensures it in the
database. So a position in a feed is one number, and a subscriber at a position has seen all rows up
to it. A position also holds the `epoch` of its feed and the `check` of its row. If either differs,
because the database was replaced, restored or emptied, the subscriber is reset.
"""

from db.core.feed.feed import Feed as Feed, FeedState as FeedState
from db.core.feed.position import InvalidReason as InvalidReason, Position as Position
from db.core.feed.reader import PositionInvalid as PositionInvalid, Reader as Reader
