"""Protocols: extensions of the protocols of uvicorn."""
