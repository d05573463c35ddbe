"""Tracing: spans of requests, their operations and statements, sent to a collector by OTLP."""
