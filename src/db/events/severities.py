"""Severities: rules by which the type of an event decides on its severity, if its caller does not.

A rule is a pattern of types, in which `*` is any text, and a severity: `*_failed=ERROR`. The first
rule that matches decides; without one it is INFO. Case makes no difference.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache

from db.core.values.validation import MAX_NAME


class EventSeverity(StrEnum):
    """The severity of an event."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


DEFAULT = (
    "*critical=CRITICAL,*error=ERROR,*failed=ERROR,*failure=ERROR,*warning=WARNING,*debug=DEBUG"
)
MAX_RULES = 100
REMEMBERED = 1_000  # types
_PATTERN = re.compile(r"[a-z0-9_.:/*-]{1,100}")


class SeverityRules:
    """Rules, from a text with commas between them. Raises ValueError, which says what is wrong."""

    def __init__(self, text: str) -> None:
        self.rules = tuple(_rules(text))
        self.severity_of = lru_cache(REMEMBERED)(self._severity_of)

    def _severity_of(self, event_type: str) -> EventSeverity:
        matching = (severity for types, severity in self.rules if types.match(event_type))
        return next(matching, EventSeverity.INFO)


def _rules(text: str) -> Iterator[tuple[re.Pattern[str], EventSeverity]]:
    given = [each.strip() for each in text.split(",") if each.strip()]
    if len(given) > MAX_RULES:
        raise ValueError(f"must have at most {MAX_RULES} rules")
    for number, rule in enumerate(given, start=1):
        pattern, _, severity = map(str.strip, rule.rpartition("="))
        if not _PATTERN.fullmatch(pattern.lower()):
            raise ValueError(
                f"must have rules such as *_failed=ERROR, with letters, digits and _.:/-* before "
                f"the =; rule {number} has not"
            )
        if severity.upper() not in EventSeverity.__members__:
            names = ", ".join(EventSeverity)
            raise ValueError(
                f"must name a severity after each =, one of {names}; rule {number} does not"
            )
        yield re.compile(translate(pattern.lower())), EventSeverity[severity.upper()]


_of_process = SeverityRules(DEFAULT)


def use(rules: SeverityRules) -> None:
    """Replace the rules of this process, at its start."""
    global _of_process
    _of_process = rules


def severity_of(event_type: str) -> EventSeverity:
    """The severity of an event whose caller gives none."""
    if len(event_type) > MAX_NAME:  # refused later
        return EventSeverity.INFO
    return _of_process.severity_of(event_type.lower())
