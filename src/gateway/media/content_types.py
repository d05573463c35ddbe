"""Content types: whether a file is what its media type says, by its first bytes.

Source of the signatures: WHATWG MIME Sniffing, sections 4 and 6, and the formats themselves.
"""

import hashlib
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable

HEAD = 16  # bytes that tell the type

Test = Callable[[bytes], bool]


def _starts(*signatures: bytes) -> Test:
    return lambda head: head.startswith(signatures)


def _riff(kind: bytes) -> Test:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == kind


SIGNATURES: dict[str, Test] = {
    "image/png": _starts(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": _starts(b"\xff\xd8\xff"),
    "image/gif": _starts(b"GIF87a", b"GIF89a"),
    "image/webp": _riff(b"WEBP"),
    "application/pdf": _starts(b"%PDF-"),
    "application/zip": _starts(b"PK\x03\x04", b"PK\x05\x06"),
    "audio/mpeg": _starts(b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "audio/wav": _riff(b"WAVE"),
    "video/mp4": lambda head: head[4:8] == b"ftyp",
    "video/webm": _starts(b"\x1a\x45\xdf\xa3"),
}


class Inspection:
    """What the bytes of a file tell: size, checksum, and whether they are of its media type."""

    def __init__(self, content_type: str) -> None:
        self.size = 0
        self._digest = hashlib.sha256()
        self._type = TypeCheck(content_type)

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._digest.update(chunk)
        self._type.update(chunk)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def is_of_type(self) -> bool:
        """After all bytes."""
        return self._type.holds()


class TypeCheck:
    """Compares the bytes of a file with its media type; types without a signature are texts in
    UTF-8."""

    def __init__(self, content_type: str) -> None:
        self.signature = SIGNATURES.get(content_type)
        self.decoder: IncrementalDecoder = getincrementaldecoder("utf-8")()
        self.head = b""
        self.is_text = True

    def update(self, chunk: bytes) -> None:
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
        if self.signature is None and self.is_text:
            self.is_text = b"\0" not in chunk and self._decodes(chunk)

    def holds(self) -> bool:
        """After all bytes."""
        if self.signature is not None:
            return self.signature(self.head)
        return self.is_text and self._decodes(b"", final=True)

    def _decodes(self, chunk: bytes, final: bool = False) -> bool:
        try:
            self.decoder.decode(chunk, final)
        except UnicodeDecodeError:
            return False
        return True
