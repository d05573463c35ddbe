"""Cluster: three gateways of two workers, and everything in front of and behind them, on one
machine."""
