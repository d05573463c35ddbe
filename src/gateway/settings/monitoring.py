"""Monitoring settings: where the metrics of the gateway are, and where its traces go."""

from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.settings.section import Section

SDK = "opentelemetry.sdk"


def _is_collector(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    if "@" in urlsplit(url).netloc:
        raise ValueError("must not contain a password: set OTEL_EXPORTER_OTLP_HEADERS")
    if find_spec(SDK) is None:
        raise ValueError("needs the SDK of OpenTelemetry: pip install 'dreamnet-gateway[otel]'")
    return url


class MonitoringSettings(Section):
    """The endpoint of Prometheus, and the collector of OpenTelemetry."""

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
    otlp_endpoint: Annotated[str, AfterValidator(_is_collector)] | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Collector of OpenTelemetry that traces are sent to by OTLP over HTTP, such as "
        "`http://127.0.0.1:4318`; if unset, none are made. Needs the extra `otel`.",
    )
