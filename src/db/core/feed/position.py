"""Position: the place in a feed up to which a subscriber has read, as an opaque cursor."""

import struct
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self
from zlib import crc32

from db.core.errors import Invalid

VERSION = 1
_LAYOUT = struct.Struct(">BBIQI")  # version, feed, epoch, seq, check: 18 bytes, 24 characters
_MAX_SEQ = 2**63 - 1


class InvalidReason(StrEnum):
    """The reason why a subscriber cannot resume from a position."""

    EPOCH = "EPOCH"
    EXPIRED = "EXPIRED"
    AHEAD = "AHEAD"
    DIVERGED = "DIVERGED"


@dataclass(frozen=True, slots=True)
class Position:
    """The position after the row `seq` of a feed in the history `epoch`. `check` is the checksum of
    that row, or 0 if there is none. `epoch` and `check` have 32 bits."""

    feed: str
    epoch: int
    seq: int
    check: int

    def __str__(self) -> str:
        fields = VERSION, _tag(self.feed), self.epoch, self.seq, self.check
        return urlsafe_b64encode(_LAYOUT.pack(*fields)).decode()

    @property
    def nowhere(self) -> Self:
        """A position of a history that does not exist, from which no subscriber can resume."""
        return replace(self, epoch=self.epoch ^ 1, seq=0, check=0)

    @classmethod
    def parse(cls, text: str, feed: str) -> Self:
        """Parse a cursor. Raises Invalid for other text and for a cursor of another feed."""
        try:
            data = b64decode(text, altchars=b"-_", validate=True)
            version, tag, *fields = _LAYOUT.unpack(data)
        except (ValueError, struct.error) as error:
            raise Invalid("This is not a cursor.", "after") from error
        if version != VERSION or fields[1] > _MAX_SEQ:
            raise Invalid("This is not a cursor.", "after")
        if tag != _tag(feed):
            raise Invalid("This cursor belongs to another subscription.", "after")
        return cls(feed, *fields)


def _tag(feed: str) -> int:
    return crc32(feed.encode()) & 0xFF
