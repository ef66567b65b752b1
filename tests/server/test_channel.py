"""Messages between the front and its processes."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hundredfold.server.channel import MOST_BYTES, Messages, Pipe, packed, unpacked

_BLOBS = st.lists(st.binary(max_size=40), max_size=5)


def test_a_message_is_its_lengths_and_its_bytes() -> None:
    lengths = b"\0\0\0\x0f" + b"\0\0\0\2" + b"\0\0\0\2" + b"\0\0\0\1"
    assert b"".join(packed([b"ab", b"c"])) == lengths + b"abc"


@given(st.lists(_BLOBS, max_size=4), st.data())
def test_messages_come_out_whole_however_the_stream_is_cut(
    messages: list[list[bytes]], data: st.DataObject
) -> None:
    stream = b"".join(b"".join(packed(blobs)) for blobs in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, found = Messages(), []
    for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += [[bytes(b) for b in blobs] for blobs in reader.feed(stream[first:last])]
    assert found == messages


def test_a_message_that_is_too_long_is_not_waited_for() -> None:
    with pytest.raises(ValueError, match="bytes"):
        list(Messages().feed((MOST_BYTES + 1).to_bytes(4, "big")))


@pytest.mark.parametrize("size", [0, 1, 2**17 - 12, 2**17, 3_000_000])
def test_a_pipe_gives_and_takes_messages_of_any_size(size: int) -> None:
    ours, theirs = socket.socketpair()
    pipe, blobs = Pipe(theirs.detach()), [b"x" * size, b"", b"yz"]

    def echo() -> None:
        message = pipe.receive()
        assert message is not None
        pipe.send(message)

    thread = threading.Thread(target=echo)
    thread.start()
    with ours:
        ours.sendall(b"".join(packed(blobs)))
        reader, found = Messages(), []
        while not found:
            found = [list(map(bytes, message)) for message in reader.feed(ours.recv(65536))]
    thread.join()
    pipe._socket.close()
    assert found == [blobs]


@pytest.mark.parametrize("sent", [b"", b"\0\0\0\x20abc", b"\0\0\0\4"])
def test_a_pipe_whose_front_is_gone_has_no_message(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    pipe = Pipe(theirs.detach())
    with ours:
        ours.sendall(sent)
    assert pipe.receive() is None
    pipe._socket.close()


def test_bytes_that_are_received_are_those_that_were_packed() -> None:
    body = b"".join(packed([b"", b"abc"]))[4:]
    assert [bytes(blob) for blob in unpacked(body)] == [b"", b"abc"]
