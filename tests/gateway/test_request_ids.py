"""Request ids: new ones for requests without a header."""

import os

from gateway.request_record import new_request_id


def test_request_ids_are_new_after_a_fork() -> None:
    known = {new_request_id() for _ in range(1_000)}
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_request_id().encode())
        os._exit(0)
    os.waitpid(child, 0)

    forked, own = os.read(reading, 32).decode(), new_request_id()
    os.close(reading)
    os.close(writing)
    assert len(known | {forked, own}) == 1_002
    assert {len(id) for id in known} == {32}
