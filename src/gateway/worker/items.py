"""Items: what adapters and judges get and return."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One test to run: the model, and what the dream asks of it."""

    provider: str
    model: str
    title: str
    prompt: str
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered. `tokens_used` counts input and output; `cost` is in US dollars."""

    text: str
    tokens_used: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's score, 0 (the model did it) to 100 (it failed), and its confidence, 0 to 100."""

    impossibility_score: float
    confidence: float | None = None
    reasoning: str | None = None


class Impossible(Exception):
    """The test cannot be run, and trying again would not help: it is marked as FAILED. After any
    other exception it is tried again later."""


Adapter = Callable[[WorkItem], Awaitable[Answer]]
Judge = Callable[[WorkItem, Answer], Awaitable[Verdict]]
