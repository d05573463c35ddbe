"""Event settings: which severity events have, and which of them the log shows."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from db.events.echo import Echo
from db.events.severities import DEFAULT, EventSeverity, SeverityRules
from gateway.settings.section import Section

NONE = "none"


def _rules(text: str) -> SeverityRules:
    return SeverityRules("" if text.strip() == NONE else text)


def _are_rules(text: str) -> str:
    _rules(text)  # a ValueError says what is wrong
    return text


class EventSettings(Section):
    """Events that callers log, and those of the gateway itself."""

    event_severities: Annotated[str, AfterValidator(_are_rules)] = Field(
        default=DEFAULT,
        description="Comma-separated rules for the severity of events that are logged without "
        "one, such as `payment_*=WARNING`; `*` is any text, the first rule that matches the type "
        "decides, and without one it is INFO. `none` has no rules.",
    )
    event_echo: Literal["off", "debug", "info", "warning", "error", "critical"] = Field(
        default="off",
        description="Minimum severity of events that are echoed to the log, as `[ERROR] [source] "
        "type`: `debug`, `info`, `warning`, `error`, `critical`, or `off`.",
    )
    request_start: Literal["on", "off"] = Field(
        default="off",
        description="Whether API requests are also recorded when they start, as `request_start` "
        "events: `on` or `off`.",
    )

    @property
    def severity_rules(self) -> SeverityRules:
        return _rules(self.event_severities)

    @property
    def echo(self) -> Echo:
        is_off = self.event_echo == "off"
        return Echo(None if is_off else EventSeverity[self.event_echo.upper()])
