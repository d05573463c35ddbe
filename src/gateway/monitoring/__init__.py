"""Monitoring: the figures of this process, for Prometheus."""
