"""Heartbeat: how often a subscription sends something, and when each side gives up waiting.

    HEARTBEAT_SECONDS < SILENCE_SECONDS < PROXY_SECONDS <= DEAD_SECONDS

A heartbeat shows that the subscription is alive. Where none was sent, for example because the
database does not respond, the connection itself sends something shortly after. Both are earlier
than the usual limit of proxies for idle connections.
"""

HEARTBEAT_SECONDS = 10.0  # without an update; also between pings of a WebSocket
SILENCE_SECONDS = HEARTBEAT_SECONDS + 2  # without a message, before an empty one of the transport
PROXY_SECONDS = 30.0  # after which many proxies close an idle connection
DEAD_SECONDS = 3 * HEARTBEAT_SECONDS  # without a message, after which clients reconnect
