"""Monitoring settings: where the metrics of the gateway are."""

from pydantic import Field

from gateway.settings.section import Section


class MonitoringSettings(Section):
    """The endpoint of Prometheus."""

    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port of `/metrics` for Prometheus; if unset, there are no metrics.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address of `/metrics`. It needs no credential, so let only Prometheus reach "
        "another one than loopback.",
    )
