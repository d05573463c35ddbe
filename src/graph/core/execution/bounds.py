"""Bounds: the maximum sizes of one operation, declared once; settings may change them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The maximum sizes of one operation; 0 is no limit. `tokens`: of the whole document.
    `definitions`: its operations and fragments. `cost`: in points. `values`: of its inputs, counted
    for each use."""

    tokens: int = 2_000
    definitions: int = 100
    depth: int = 10
    aliases: int = 30
    directives: int = 50
    root_fields: int = 20
    selections: int = 5_000
    cost: int = 5_000
    values: int = 2_000
    values_anonymous: int = 1_000
    values_subscription: int = 250

    def __hash__(self) -> int:
        """A short one: limits are part of the key of each prepared operation."""
        return hash((self.tokens, self.cost))

    def values_of(self, kind: str, known: bool) -> int:
        # Those of a subscription are coerced for each message.
        most = self.values if known else self.values_anonymous
        return min(most, self.values_subscription) if kind == "subscription" else most
