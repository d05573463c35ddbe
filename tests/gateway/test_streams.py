"""Streams: their limits, their owners, and how they end."""

import pytest

from gateway.errors import HttpError
from gateway.protocols.waiting_room import WaitingRoom
from gateway.request_record import RequestRecord
from gateway.transport.connections import OpenStream, OpenStreams
from graph.core.principal import ANONYMOUS, DEVELOPER, DEVELOPERS, Client

ADA, EVE = Client("ada", known=True), Client("eve", known=True)
NETWORK = Client("192.0.2.0/24", known=False)


def stay() -> None:
    """Leaving is not asked for."""
    raise AssertionError("nobody asked to leave")


def refused(streams: OpenStreams, client: Client) -> tuple[int, str, str | None]:
    with pytest.raises(HttpError) as refusal:
        streams.admit(client, stay)
    headers = refusal.value.headers or {}
    return refusal.value.status, refusal.value.code, headers.get("retry-after")


def test_a_caller_has_so_many_streams_and_others_have_theirs() -> None:
    streams = OpenStreams(most=0, most_per_caller=2, most_per_network=1)
    with streams.admit(ADA, stay), streams.admit(EVE, stay), streams.admit(NETWORK, stay):
        with streams.admit(ADA, stay):
            assert refused(streams, ADA) == (429, "RATE_LIMITED", "1")
        with streams.admit(ADA, stay):
            assert refused(streams, NETWORK) == (429, "RATE_LIMITED", "1")
    assert (streams.open, streams.held) == ({}, {})


def test_a_process_has_so_many_streams() -> None:
    streams = OpenStreams(most=2, most_per_caller=0, most_per_network=0)
    with streams.admit(ADA, stay), streams.admit(DEVELOPERS, stay):
        assert refused(streams, EVE) == (503, "SERVICE_UNAVAILABLE", "1")
        assert refused(streams, DEVELOPERS) == (503, "SERVICE_UNAVAILABLE", "1")
    with streams.admit(EVE, stay):
        assert len(streams.open) == 1


def test_a_stream_is_counted_for_its_current_client() -> None:
    streams = OpenStreams(most=0, most_per_caller=1, most_per_network=1)
    with streams.admit(NETWORK, stay) as first:
        first.belongs_to(ADA)
        first.belongs_to(ADA)
        assert streams.held == {"ada": 1}
        with streams.admit(NETWORK, stay) as second:
            with pytest.raises(HttpError):
                second.belongs_to(ADA)
            assert streams.held == {"ada": 1, NETWORK.name: 1}
        first.belongs_to(DEVELOPERS)
        assert streams.held == {}
    assert streams.open == {}


def test_unidentified_streams_take_no_place_of_others() -> None:
    gone: list[str] = []
    streams = OpenStreams(1, 0, 1, WaitingRoom(most=3, most_per_network=2))

    def wait(name: str, network: str = "a") -> OpenStream:
        return streams.admit_unidentified(network, stay, lambda: gone.append(name))

    with streams.admit(ADA, stay), wait("1") as first, wait("2") as second:
        with wait("3"):
            assert gone == ["1"]
            with wait("4", "b"), wait("5", "b"):
                assert gone == ["1", "2"]
        with pytest.raises(HttpError):
            second.belongs_to(EVE)
        with pytest.raises(HttpError):
            first.belongs_to(EVE)
    assert streams.unidentified.all == streams.unidentified.by_network == {}
    assert (streams.open, streams.identified) == ({}, 0)
    with wait("6") as stream:
        stream.belongs_to(NETWORK)
        assert streams.unidentified.all == {}
        assert streams.identified == 1
    assert streams.identified == 0


async def test_draining_ends_all_streams_and_admits_none() -> None:
    streams, received = OpenStreams(0, 0, 0), []

    def enter(number: int) -> OpenStream:
        def leave() -> None:
            received.append(number)
            stream.__exit__(None, None, None)

        stream = streams.admit(ADA, leave)
        return stream

    for number in range(10):
        enter(number)
    await streams.drain(0.2)

    assert sorted(received) == list(range(10))
    assert refused(streams, EVE) == (503, "SERVICE_UNAVAILABLE", "1")


async def test_draining_ends_each_stream_once_without_waiting() -> None:
    streams, received = OpenStreams(0, 0, 0), []
    for number in range(3):
        streams.admit(ADA, lambda number=number: received.append(number))
    await streams.drain(0.1)
    assert sorted(received) == [0, 1, 2]
    assert len(streams.open) == 3


async def test_draining_without_streams_ends_at_once() -> None:
    await OpenStreams(0, 0, 0).drain(3600)


def test_anonymous_clients_count_as_their_network_and_the_developer_not_at_all() -> None:
    assert RequestRecord("1", "192.0.2.77", principal=ANONYMOUS).client == NETWORK
    assert not RequestRecord("1", "192.0.2.77", principal=DEVELOPER).client.is_limited
