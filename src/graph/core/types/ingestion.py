"""Ingestion: mutations that store rows in batches, one item or many at a time.

One invalid item must not reject the others in its batch. GraphQL rejects a whole request for one
value of the wrong type, so the items of a batch are declared loosely: an enumeration is a string
there, and each item is validated on its own. Inputs stay the mappings of the request, because
creating an object for each item costs more than storing it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast, dataclass_transform
from uuid import UUID

import strawberry
from strawberry import UNSET

from db.core import errors, idempotency
from db.core.errors import DomainError, FieldError, Unavailable
from db.core.ingest.rows import IngestRow, RowTemplate
from db.core.ingest.writer import IngestTarget
from db.core.session.clock import time_faults
from db.core.turns import Piecewise
from db.core.values import validation
from db.core.values.validation import Check
from graph.core.context import Context, Info
from graph.core.types.declared import IngestField, ItemInput as ItemInput
from graph.core.types.errors import MAX_FAULTS, UserError, user_errors
from graph.core.types.field import as_mapping, field, value
from graph.core.types.input_values import BATCH
from graph.core.types.mutation import input_type
from graph.core.types.node import id_of

MAX_ITEMS = 1_000
KEY = "idempotencyKey"  # as inputs spell it

T = TypeVar("T", bound=type)
Make = Callable[[Context, ItemInput, datetime, str | None], IngestRow]
MakeTemplate = Callable[[ItemInput], RowTemplate]

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


@value
class RefusedItem:
    """An item of a batch that was not stored."""

    index: int = field("Position of the item in the batch, starting at 0.")
    errors: list[UserError] = field(
        f"Why the item was not stored, at most {MAX_FAULTS} errors.", cost=0
    )


def refused_item(index: int, error: DomainError, batch: str) -> RefusedItem:
    """An item of the input field `batch`."""
    return RefusedItem(index=index, errors=user_errors(error.under(f"{batch}.{index}")))


@value
class Stored:
    """An item was stored."""

    stored_id: strawberry.ID | None = field(
        "ID of the stored item. Null if it was not stored.", default=None
    )


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The result of a batch, which is an input field: the IDs of its items, and errors by
    position."""

    record: type
    batch: str
    ids: Sequence[UUID | None]
    errors: Mapping[int, DomainError]


NOTHING = BatchOutcome(object, "", (), {})


@value
class StoredItems:
    """The result of a batch. All items that were not refused are stored."""

    outcome: strawberry.Private[BatchOutcome] = NOTHING

    @field("Number of items that were stored.")
    def stored_count(self) -> int:
        return len(self.outcome.ids) - len(self.outcome.errors)

    @field("IDs of the items, in the order of the input. Null for items that were not stored.")
    def stored_ids(self) -> list[strawberry.ID | None]:
        record, errors = self.outcome.record, self.outcome.errors
        return [
            None if id is None or index in errors else strawberry.ID(id_of(record, id))
            for index, id in enumerate(self.outcome.ids)
        ]

    @field("The items that were not stored, by position.", cost=0)
    def refused(self) -> list[RefusedItem]:
        errors, batch = self.outcome.errors, self.outcome.batch
        return [refused_item(index, errors[index], batch) for index in sorted(errors)]


@dataclass(frozen=True, slots=True)
class IngestMutation:
    """How one kind of row is ingested: its target, its record type, the function that makes a row
    from an input, the input fields by column, and the input field of its time. `template` makes the
    same row, but for its id and its time."""

    intake: IngestTarget
    record: type
    make: Make
    names: Mapping[str, str]
    time: str = "timestamp"
    template: MakeTemplate | None = None

    @classmethod
    def of_template(
        cls,
        intake: IngestTarget,
        record: type,
        template: MakeTemplate,
        names: Mapping[str, str],
        time: str = "timestamp",
    ) -> "IngestMutation":
        """For rows that depend on the input alone."""

        def make(_: Context, given: ItemInput, at: datetime, key: str | None) -> IngestRow:
            return template(given).row(at, key)

        return cls(intake, record, make, names, time, template)

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
            raise self.with_input_names(invalid) from None
        return Stored(stored_id=strawberry.ID(await self.store(context, row)))

    def row(self, context: Context, input: ItemInput) -> IngestRow:
        """The row of one item. Raises Invalid with the names of columns, and Unavailable before the
        first connection."""
        return self._item(context, input, context.db.clock.now(), None)

    async def store(self, context: Context, row: IngestRow) -> str:
        """Store one row, and return its global ID. Raises the error that rejects it."""
        for error in (await context.ingest.submit(self.intake, [row])).values():
            raise self.with_input_names(error)
        return self.id_of(row)

    def template_of(self, input: ItemInput) -> RowTemplate | None:
        """The row of an item without its id and its time, unless the input names these, or the row
        depends on the caller. Raises Invalid with the names of columns."""
        if self.template is None or input.get(self.time) is not None or input.get(KEY) is not None:
            return None
        return self.template(input)

    def id_of(self, row: IngestRow) -> str:
        return id_of(self.record, row.id)

    async def many(self, info: Info, input: object, name: str) -> StoredItems:
        """Store the valid items in an input field.

        Raises RateLimited, and Unavailable if none is stored.
        """
        sent = _as_sent(input)
        batch_key, size = sent.get(KEY), len(sent[name])
        now = await info.context.db.now()
        items, refused = await self._items(info.context, sent[name], now, batch_key)
        late = await info.context.ingest.submit(self.intake, list(items.values()))
        refused |= {index: late[n] for n, index in enumerate(items) if n in late}
        away = [error for error in refused.values() if isinstance(error, Unavailable)]
        if size and len(away) == size:
            raise away[0]
        shown = {index: self.with_input_names(error) for index, error in refused.items()}
        ids = [_id(items.get(index)) for index in range(size)]
        return StoredItems(outcome=BatchOutcome(self.record, name, ids, shown))

    async def _items(
        self, context: Context, sent: Sequence[ItemInput], now: datetime, batch_key: str | None
    ) -> tuple[dict[int, IngestRow], dict[int, DomainError]]:
        """Valid rows and errors, by position. Items without a time are a microsecond apart, so that
        their IDs keep their order."""
        items: dict[int, IngestRow] = {}
        refused: dict[int, DomainError] = {}
        piecewise = Piecewise()
        for index, item in enumerate(sent):
            await piecewise.pause()
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
        time, own_key = input.get(self.time), input.get(KEY)
        key = batch_key if own_key is None else own_key
        if faults := tuple(_faults_of_identity(time, own_key, key, now)):
            raise errors.Invalid.of([*faults, *self._faults_of_row(context, input, now)])
        owned = None if key is None else f"{context.principal.owner}/{self.intake.name}/{key}"
        return self.make(context, input, now if time is None else time, owned)

    def _faults_of_row(
        self, context: Context, input: ItemInput, now: datetime
    ) -> tuple[FieldError, ...]:
        try:
            self.make(context, input, now, None)
        except errors.Invalid as invalid:
            return invalid.errors
        except errors.Forbidden:  # reported once the input is valid
            pass
        return ()

    def with_input_names(self, error: DomainError) -> DomainError:
        return error.renamed({**self.names, "timestamp": self.time})


def _as_sent(input: object) -> ItemInput:
    return cast("ItemInput", input)  # an `ingest_input`, which is declared as a class


def _faults_of_identity(
    time: datetime | None, own_key: str | None, key: str | None, now: datetime
) -> Iterator[FieldError]:
    """What is wrong with the time and the key of an item, of which its ID is made."""
    if time is not None:
        yield from time_faults(time, now, "timestamp")
    if own_key is not None and (faults := tuple(idempotency.KEY.faults(own_key))):
        yield from (fault.under("idempotency_key") for fault in faults)
    elif key is not None and time is None:
        yield FieldError("An idempotency key requires the time. Set it as well.", "timestamp")


def _id(item: IngestRow | None) -> UUID | None:
    return item.id if item else None
