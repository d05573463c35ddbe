"""Formats: JSON Lines, CSV and Parquet.

Parquet needs the extra `export`. Its files have one row group for each 8 MB of lines.
"""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from db.core.errors import Invalid
from db.exporter.columns import ColumnType, ExportColumn, csv_header, csv_line, flat_line, json_line
from db.exporter.nouns import Exportable, Printer

GROUP_BYTES = 8 * 2**20
MISSING = "Parquet needs PyArrow: pip install 'dreamnet-gateway[export]'."


class Format(StrEnum):
    """The format of an export."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self]

    @property
    def print(self) -> Printer:
        return PRINTERS[self]


MEDIA_TYPES = {
    Format.JSONL: "application/jsonl",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
}
PRINTERS: dict[Format, Printer] = {
    Format.JSONL: json_line,
    Format.CSV: csv_line,
    Format.PARQUET: flat_line,
}


class Encoder(Protocol):
    """Makes the bytes of a file from lines."""

    def begin(self) -> bytes: ...

    async def add(self, lines: Sequence[str]) -> bytes: ...

    async def end(self) -> bytes: ...


class TextEncoder:
    """Lines as they are, below a header if there is one."""

    def __init__(self, header: str | None = None) -> None:
        self.header = header

    def begin(self) -> bytes:
        return b"" if self.header is None else f"{self.header}\n".encode()

    async def add(self, lines: Sequence[str]) -> bytes:
        return "".join(f"{line}\n" for line in lines).encode()

    async def end(self) -> bytes:
        return b""


class ParquetEncoder:
    """A Parquet file with typed columns. Raises Invalid without PyArrow."""

    def __init__(self, columns: Sequence[ExportColumn]) -> None:
        try:
            import pyarrow  # type: ignore[import-untyped]  # it has no types
            import pyarrow.json  # type: ignore[import-untyped]  # as above
            import pyarrow.parquet  # type: ignore[import-untyped]  # as above
        except ImportError as error:
            raise Invalid(MISSING, "format") from error
        self.arrow = pyarrow
        self.schema = pyarrow.schema([(each.name, self._type(each)) for each in columns])
        self.sink = Sink()
        self.writer = pyarrow.parquet.ParquetWriter(
            pyarrow.PythonFile(self.sink, mode="w"), self.schema, compression="zstd"
        )
        self.pending: list[bytes] = []
        self.size = 0

    def _type(self, column: ExportColumn) -> object:
        arrow = self.arrow
        match column.type:
            case ColumnType.INTEGER:
                return arrow.int64()
            case ColumnType.DECIMAL:
                return arrow.decimal128(38, column.places)
            case ColumnType.TIME:
                return arrow.timestamp("us", tz="UTC")
            case ColumnType.BOOLEAN:
                return arrow.bool_()
            case ColumnType.TEXTS:
                return arrow.list_(arrow.string())
            case _:
                return arrow.string()

    def begin(self) -> bytes:
        return self.sink.taken()

    async def add(self, lines: Sequence[str]) -> bytes:
        self.pending.append("\n".join(lines).encode())
        self.size += len(self.pending[-1])
        if self.size >= GROUP_BYTES:
            await asyncio.to_thread(self._write)
        return self.sink.taken()

    async def end(self) -> bytes:
        await asyncio.to_thread(self._write)
        self.writer.close()
        return self.sink.taken()

    def _write(self) -> None:
        if not self.pending:
            return
        text, self.pending, self.size = b"\n".join(self.pending), [], 0
        options = self.arrow.json.ParseOptions(
            explicit_schema=self.schema, unexpected_field_behavior="ignore"
        )
        reading = self.arrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1)
        table = self.arrow.json.read_json(self.arrow.BufferReader(text), reading, options)
        self.writer.write_table(table.select(self.schema.names).cast(self.schema))


class Sink:
    """A file in memory, whose bytes are taken as they are written."""

    closed = False

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.position = 0

    def write(self, chunk: bytes) -> int:
        self.chunks.append(bytes(chunk))
        self.position += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        """Bytes are taken in any case."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        chunks, self.chunks = self.chunks, []
        return b"".join(chunks)


def encoder(format: Format, noun: Exportable, *, is_continued: bool) -> Encoder:
    """Raises Invalid. A CSV that continues another one has no header."""
    match format:
        case Format.JSONL:
            return TextEncoder()
        case Format.CSV:
            return TextEncoder(None if is_continued else csv_header(noun.columns))
        case Format.PARQUET:
            return ParquetEncoder(noun.columns)
