"""Reporting: what is handed in for storing, one at a time or many at once, and what comes of it.

In a batch one bad item must not refuse the others. GraphQL refuses a whole request for one value of
the wrong type, so items of a batch are declared as loosely as they can be: what an enumeration
allows is a text there, and is judged item by item. Inputs stay the mappings that the request
brought, because making an object of each item costs more than storing it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, dataclass_transform
from uuid import UUID

import strawberry
from strawberry import UNSET

from db.core import errors, idempotency
from db.core.errors import DomainError, Unavailable
from db.core.ingest.rows import IngestRow
from db.core.ingest.writer import IngestTarget
from db.core.session.clock import check_time
from db.core.values import validation
from graph.core.context import Info
from graph.core.types.errors import FieldError, Invalid, shown
from graph.core.types.field import enum, field, value
from graph.core.types.input_values import BATCH
from graph.core.types.mutation import input_type, result
from graph.core.types.node import id_of

MAX_ITEMS = 1_000

T = TypeVar("T", bound=type)
ItemInput = Mapping[str, Any]
Make = Callable[[Info, ItemInput, datetime, str | None], IngestRow]

TIME = (
    "Now by default; else in the last ten years, and no more than five minutes in the future, by "
    "the clock of the database."
)


def batch(description: str, most: int = MAX_ITEMS) -> Any:
    """The field that holds the items of a batch, which are judged one by one."""
    return field(description, check=validation.items(most), apart=True, values=BATCH)


def key() -> Any:
    """The field of an item that makes it safe to send again."""
    return field(
        "Any text of your own that makes it safe to send again: of all items with the same key and "
        "time the first one is stored. It needs the time.",
        check=idempotency.KEY,
        default=UNSET,
    )


def batch_key() -> Any:
    """The field of a batch that gives its items such keys."""
    return field(
        "A key for those items that have none: it stands for this text and their position.",
        check=idempotency.KEY,
        default=UNSET,
    )


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def ingest_input(cls: T) -> T:
    """An input type that stays a mapping by the names of the schema."""
    cls = input_type(cls)
    cls.__strawberry_definition__.from_input = lambda _cls, value, _context: value  # type: ignore[attr-defined]  # set by Strawberry
    return cls


class ItemErrorCode(StrEnum):
    """Why an item was not stored, for programs to act on."""

    INVALID = "INVALID"
    FORBIDDEN = "FORBIDDEN"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    DATABASE_READ_ONLY = "DATABASE_READ_ONLY"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"


enum(
    ItemErrorCode,
    INVALID="A value is not acceptable; `field` names it. Do not send it again as it is.",
    FORBIDDEN="You may not report this.",
    SERVICE_UNAVAILABLE="It is not stored, because the database was away; send it again.",
    DATABASE_READ_ONLY="It is not stored, because the database is read-only; send it again later.",
    OUTCOME_UNKNOWN="It may be stored or not, because the database went away before it answered; "
    "send it again with the same time and key.",
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
    """Why one item of a batch was not stored."""

    message: str = field("What went wrong and what to do, for people.")
    code: ItemErrorCode = field("What went wrong, for programs.")
    errors: list[FieldError] = field(
        "All that is wrong with the item; empty where the code is not INVALID.", cost=0
    )
    field: str | None = field("The field that holds the bad value; null when it is no single one.")


@value
class ItemResult:
    """What became of one item of a batch."""

    index: int = field("Position of the item in the batch, from 0.")
    id: strawberry.ID | None = field("Id under which it is stored; null when it is not.")
    error: ItemError | None = field("Why it is not stored; null when it is.")


@value
class Stored:
    """What was reported is stored."""

    id: strawberry.ID = field("Id under which it is stored.")


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch: ids of its items, and by position why one is not stored."""

    record: type
    ids: Sequence[UUID | None]
    errors: Mapping[int, DomainError]

    def results(self, positions: Sequence[int]) -> Iterator[ItemResult]:
        """The results at those positions."""
        for index in positions:
            error, id = self.errors.get(index), self.ids[index]
            shown = strawberry.ID(id_of(self.record, id)) if id and not error else None
            yield ItemResult(index=index, id=shown, error=_shown(error) if error else None)


def _stored(root: Any) -> int:
    return len(root.ids) - len(root.errors)


def _refused(root: Any) -> list[ItemResult]:
    return list(root.results(sorted(root.errors)))


def _results(root: Any) -> list[ItemResult]:
    return list(root.results(range(len(root.ids))))


@value
class StoredItems:
    """What became of a batch; the items that were not refused are stored."""

    stored: int = field("Number of items that are stored.", resolver=_stored)
    refused: list[ItemResult] = field("The items that are not stored.", resolver=_refused, cost=0)
    results: list[ItemResult] = field("Every item, in the order sent.", resolver=_results, cost=0)

    @classmethod
    def is_type_of(cls, obj: Any, _info: Any) -> bool:
        """Batches are shown as their outcomes."""
        return isinstance(obj, BatchOutcome)


def item_result(name: str) -> Any:
    """What reporting one thing comes to."""
    return result(name, Stored, Invalid)


def batch_result(name: str) -> Any:
    """What reporting a batch comes to."""
    return result(name, StoredItems, Invalid)


@dataclass(frozen=True, slots=True)
class IngestMutation:
    """How one kind of thing is reported: where it goes, what its ids look like, how an input
    becomes an item, and how the input calls its columns and its time."""

    intake: IngestTarget
    record: type
    make: Make
    names: Mapping[str, str]
    time: str = "timestamp"

    async def one(self, info: Info, input_type: Any) -> Stored:
        """Stores one item. Raises why it is not stored."""
        try:
            item = self._item(info, input_type, await info.context.db.now(), None)
        except errors.Invalid as invalid:
            raise self._renamed(invalid) from None
        refused = await info.context.ingest.take(self.intake, [item])
        if refused:
            raise self._renamed(refused[0])
        return Stored(id=strawberry.ID(id_of(self.record, item.id)))

    async def many(self, info: Info, input: Any, name: str) -> BatchOutcome:
        """Stores the items that the input has under a name, as far as they are acceptable.

        Raises RateLimited, and Unavailable when none is stored.
        """
        size = len(input[name])
        batch_key = _key(input)
        now = await info.context.db.now()
        items, refused = self._items(info, input[name], now, batch_key)
        late = await info.context.ingest.take(self.intake, list(items.values()))
        refused |= {index: late[n] for n, index in enumerate(items) if n in late}
        away = [error for error in refused.values() if isinstance(error, Unavailable)]
        if size and len(away) == size:
            raise away[0]
        shown = {index: self._renamed(error) for index, error in refused.items()}
        return BatchOutcome(self.record, [_id(items.get(n)) for n in range(size)], shown)

    def _items(
        self, info: Info, input_type: Sequence[ItemInput], now: datetime, batch_key: str | None
    ) -> tuple[dict[int, IngestRow], dict[int, DomainError]]:
        """What can be stored and what cannot, by position. Without times of their own the items
        are a microsecond apart, so that their ids keep their order."""
        items: dict[int, IngestRow] = {}
        refused: dict[int, DomainError] = {}
        for index, item in enumerate(input_type):
            key = None if batch_key is None else f"{batch_key}/{index}"
            try:
                items[index] = self._item(info, item, now + timedelta(microseconds=index), key)
            except (errors.Invalid, errors.Forbidden) as error:
                refused[index] = error
        return items, refused

    def _item(
        self, info: Info, input_type: ItemInput, now: datetime, batch_key: str | None
    ) -> IngestRow:
        """The item of an input, under its key among all keys of all callers. Raises Invalid."""
        time, own_key = input_type.get(self.time), _key(input_type)
        at = now if time is None else time
        check_time(at, now, "timestamp")
        key = batch_key if own_key is None else own_key
        if key is None:
            return self.make(info, input_type, at, None)
        if time is None:
            raise errors.Invalid("An idempotency key needs the time as well.", "timestamp")
        who = info.context.principal
        return self.make(
            info, input_type, at, f"{who.user_id or who.key_id}/{self.intake.name}/{key}"
        )

    def _renamed(self, error: DomainError) -> DomainError:
        """The same with the fields as the input names them."""
        return error.renamed({**self.names, "timestamp": self.time})


def _key(input_type: ItemInput) -> str | None:
    """The idempotency key of an input. Raises Invalid for a text that cannot be one."""
    key: str | None = input_type.get("idempotencyKey")
    if key is not None:
        idempotency.check_key(key)
    return key


def _id(item: IngestRow | None) -> UUID | None:
    return item.id if item else None


def _shown(error: DomainError) -> ItemError:
    code = CODES.get(type(error), ItemErrorCode.INVALID)
    faults = shown(error).errors if isinstance(error, errors.Invalid) else []
    first = faults[0].field if faults else None
    return ItemError(message=error.message, code=code, errors=faults, field=first)
