"""Webhooks: messages to addresses of others, signed and sent until they are accepted."""
