"""Support: what tests share: databases, gateways, clients, and rows."""
