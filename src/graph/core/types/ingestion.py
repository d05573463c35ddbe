"""Ingestion: mutations that store rows in batches, one item or many at a time.

One invalid item must not reject the others in its batch. GraphQL rejects a whole request for one
value of the wrong type, so the items of a batch are declared loosely: an enumeration is a string
there, and each item is validated on its own. Inputs stay the mappings of the request, because
creating an object for each item costs more than storing it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast, dataclass_transform
from uuid import UUID

import strawberry
from strawberry import UNSET

from db.core import errors, idempotency
from db.core.error_codes import ErrorCode as Code
from db.core.errors import DomainError, Unavailable
from db.core.ingest.rows import IngestRow
from db.core.ingest.writer import IngestTarget, PendingBatch
from db.core.session.clock import check_time
from db.core.values import validation
from db.core.values.validation import Check
from graph.core.context import Context, Info
from graph.core.types.declared import IngestField, ItemInput as ItemInput
from graph.core.types.errors import FieldError, Invalid, as_result
from graph.core.types.field import as_mapping, enum, field, value
from graph.core.types.input_values import BATCH
from graph.core.types.mutation import input_type, result
from graph.core.types.node import id_of

MAX_ITEMS = 1_000

T = TypeVar("T", bound=type)
Make = Callable[[Context, ItemInput, datetime, str | None], IngestRow]

TIME = (
    "Now by default. At most ten years in the past and five minutes in the future, by the clock "
    "of the database."
)


def batch(description: str, most: int = MAX_ITEMS) -> Any:  # as `field`
    return field(description, check=validation.items(most), apart=True, values=BATCH)


def key() -> Any:  # as `field`
    return field(
        "Idempotency key: any string that makes it safe to retry. Of all items with the same key "
        "and time, only the first is stored. Requires the time to be given.",
        check=idempotency.KEY,
        default=UNSET,
    )


def batch_key() -> Any:  # as `field`
    return field(
        "Idempotency key for the items without one: each item's key is this string and its "
        "position.",
        check=idempotency.KEY,
        default=UNSET,
    )


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def ingest_input(cls: T) -> T:
    return as_mapping(input_type(cls))


class ItemErrorCode(StrEnum):
    """Codes of errors in items of a batch."""

    INVALID = Code.INVALID.value
    FORBIDDEN = Code.FORBIDDEN.value
    SERVICE_UNAVAILABLE = Code.SERVICE_UNAVAILABLE.value
    DATABASE_READ_ONLY = Code.DATABASE_READ_ONLY.value
    OUTCOME_UNKNOWN = Code.OUTCOME_UNKNOWN.value


enum(
    ItemErrorCode,
    INVALID="A value is invalid. `field` names it. Do not retry without changing it.",
    FORBIDDEN="The viewer lacks permission for this item.",
    SERVICE_UNAVAILABLE="Not stored, because the database was unavailable. Retry.",
    DATABASE_READ_ONLY="Not stored, because the database is read-only. Retry later.",
    OUTCOME_UNKNOWN="Possibly stored: the connection to the database was lost before it answered. "
    "Retry with the same time and key.",
)
CODES: dict[type[DomainError], ItemErrorCode] = {
    errors.Forbidden: ItemErrorCode.FORBIDDEN,
    Unavailable: ItemErrorCode.SERVICE_UNAVAILABLE,
    errors.Locked: ItemErrorCode.SERVICE_UNAVAILABLE,
    errors.ReadOnly: ItemErrorCode.DATABASE_READ_ONLY,
    errors.OutcomeUnknown: ItemErrorCode.OUTCOME_UNKNOWN,
}


@value
class ItemError:
    """The error of an item that was not stored."""

    message: str = field("Message for people: what is wrong and what to do.")
    code: ItemErrorCode = field("Code for programs.")
    errors: list[FieldError] = field(
        "The errors of the item. Empty unless the code is INVALID.", cost=0
    )
    field: str | None = field("The invalid field. Null if the error is not about a single field.")


@value
class ItemResult:
    """The result of one item in a batch."""

    index: int = field("Position of the item in the batch, starting at 0.")
    id: strawberry.ID | None = field("ID of the stored item. Null if it was not stored.")
    error: ItemError | None = field("The error. Null if the item was stored.")


@value
class Stored:
    """An item was stored."""

    id: strawberry.ID = field("ID of the stored item.")


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The result of a batch: the IDs of its items, and errors by position."""

    record: type
    ids: Sequence[UUID | None]
    errors: Mapping[int, DomainError]

    def results(self, positions: Sequence[int]) -> Iterator[ItemResult]:
        for index in positions:
            error, id = self.errors.get(index), self.ids[index]
            shown = strawberry.ID(id_of(self.record, id)) if id and not error else None
            yield ItemResult(index=index, id=shown, error=_shown(error) if error else None)


def _stored(root: BatchOutcome) -> int:
    return len(root.ids) - len(root.errors)


def _refused(root: BatchOutcome) -> list[ItemResult]:
    return list(root.results(sorted(root.errors)))


def _results(root: BatchOutcome) -> list[ItemResult]:
    return list(root.results(range(len(root.ids))))


@value
class StoredItems:
    """The result of a batch. All items that were not refused are stored."""

    stored: int = field("Number of items that were stored.", resolver=_stored)
    refused: list[ItemResult] = field("The items that were not stored.", resolver=_refused, cost=0)
    results: list[ItemResult] = field(
        "The result of every item, in the order of the input.", resolver=_results, cost=0
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, BatchOutcome)


def item_result(name: str) -> object:
    return result(name, Stored, Invalid)


def batch_result(name: str) -> object:
    return result(name, StoredItems, Invalid)


@dataclass(frozen=True, slots=True)
class IngestMutation:
    """How one kind of row is ingested: its target, its record type, the function that makes a row
    from an input, the input fields by column, and the input field of its time."""

    intake: IngestTarget
    record: type
    make: Make
    names: Mapping[str, str]
    time: str = "timestamp"

    @property
    def checks(self) -> Mapping[str, Check]:
        return self.intake.validator.checks

    @property
    def one_item(self) -> IngestField:
        """What a field that stores one item declares as `shows`."""
        return IngestField(self)

    async def one(self, info: Info, input: object) -> Stored:
        """Store one item. Raises the error that rejects it."""
        context = info.context
        await context.db.now()  # connects if it must
        try:
            row = self.row(context, _as_sent(input))
        except errors.Invalid as invalid:
            raise self._with_input_names(invalid) from None
        return Stored(id=strawberry.ID(await self.store(context, row)))

    def row(self, context: Context, input: ItemInput) -> IngestRow:
        """The row of one item. Raises Invalid with the names of columns, and Unavailable before the
        first connection."""
        return self._item(context, input, context.db.clock.now(), None)

    async def store(self, context: Context, row: IngestRow) -> str:
        """Store one row, and return its global ID. Raises the error that rejects it."""
        batch = self.put(context, row)
        await batch.done
        return self.outcome(row, batch)

    def put(self, context: Context, row: IngestRow) -> PendingBatch:
        """Accept one row to be stored. Raises RateLimited and Unavailable."""
        return context.ingest.put(self.intake, [row])

    def outcome(self, row: IngestRow, batch: PendingBatch) -> str:
        """The global ID of a row that was put. Raises the error that rejects it."""
        if batch.errors:
            raise self._with_input_names(batch.errors[0])
        return id_of(self.record, row.id)

    async def many(self, info: Info, input: object, name: str) -> BatchOutcome:
        """Store the valid items in an input field.

        Raises RateLimited, and Unavailable if none is stored.
        """
        sent = _as_sent(input)
        batch_key, size = _key(sent), len(sent[name])
        now = await info.context.db.now()
        items, refused = self._items(info.context, sent[name], now, batch_key)
        late = await info.context.ingest.submit(self.intake, list(items.values()))
        refused |= {index: late[n] for n, index in enumerate(items) if n in late}
        away = [error for error in refused.values() if isinstance(error, Unavailable)]
        if size and len(away) == size:
            raise away[0]
        shown = {index: self._with_input_names(error) for index, error in refused.items()}
        return BatchOutcome(self.record, [_id(items.get(n)) for n in range(size)], shown)

    def _items(
        self, context: Context, sent: Sequence[ItemInput], now: datetime, batch_key: str | None
    ) -> tuple[dict[int, IngestRow], dict[int, DomainError]]:
        """Valid rows and errors, by position. Items without a time are a microsecond apart, so that
        their IDs keep their order."""
        items: dict[int, IngestRow] = {}
        refused: dict[int, DomainError] = {}
        for index, item in enumerate(sent):
            key = None if batch_key is None else f"{batch_key}/{index}"
            try:
                items[index] = self._item(context, item, now + timedelta(microseconds=index), key)
            except (errors.Invalid, errors.Forbidden) as error:
                refused[index] = error
        return items, refused

    def _item(
        self, context: Context, input: ItemInput, now: datetime, batch_key: str | None
    ) -> IngestRow:
        """The row of an input. Its idempotency key is scoped to the caller and the target. Raises
        Invalid."""
        time, own_key = input.get(self.time), _key(input)
        at = now if time is None else time
        check_time(at, now, "timestamp")
        key = batch_key if own_key is None else own_key
        if key is None:
            return self.make(context, input, at, None)
        if time is None:
            raise errors.Invalid(
                "An idempotency key requires the time. Set it as well.", "timestamp"
            )
        owned = f"{context.principal.owner}/{self.intake.name}/{key}"
        return self.make(context, input, at, owned)

    def _with_input_names(self, error: DomainError) -> DomainError:
        return error.renamed({**self.names, "timestamp": self.time})


def _as_sent(input: object) -> ItemInput:
    return cast("ItemInput", input)  # an `ingest_input`, which is declared as a class


def _key(input: ItemInput) -> str | None:
    """The idempotency key of an input. Raises Invalid if it is malformed."""
    key: str | None = input.get("idempotencyKey")
    if key is not None:
        idempotency.check_key(key)
    return key


def _id(item: IngestRow | None) -> UUID | None:
    return item.id if item else None


def _shown(error: DomainError) -> ItemError:
    code = CODES.get(type(error), ItemErrorCode.INVALID)
    faults = as_result(error).errors if isinstance(error, errors.Invalid) else []
    first = faults[0].field if faults else None
    return ItemError(message=error.message, code=code, errors=faults, field=first)
