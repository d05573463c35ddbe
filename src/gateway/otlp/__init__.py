"""OTLP: traces, metrics and logs of OpenTelemetry, stored as tests, events and metrics."""
