"""Feed: rows in the order of their commits, and readers that miss none of them.

The numbers of a feed (`seq`) follow the order in which its rows become visible: that is arranged in
the database, by migration 0004. So a position in a feed is one number, and whoever has read up to
it has seen everything up to it. A position also knows its history (`epoch`) and its row (`check`):
when either is not what it was, because a database was replaced, restored or emptied, a follower is
told so, and never continues in silence.
"""

from db.core.feed.feed import Feed as Feed, FeedState as FeedState
from db.core.feed.position import InvalidReason as InvalidReason, Position as Position
from db.core.feed.reader import PositionInvalid as PositionInvalid, Reader as Reader
