"""The process that decodes: files of clients in, pixels of the network's size out.

`python -m hundredfold.server.decoder DESCRIPTOR`. Foreign bytes meet decoders of C here alone: a
file that ends the process, or keeps it too long, costs nobody else an answer.
"""

import json
import sys

from hundredfold.data import Resize, decode, quietly
from hundredfold.errors import DataError
from hundredfold.server.channel import Blob, Pipe
from hundredfold.server.children import ignore_signals
from hundredfold.size import Size

_NAME = "the image"  # in messages, in place of a client's file name


def main(descriptor: int) -> None:
    """Decode what comes, one answer for each file, until the front is gone."""
    ignore_signals()
    pipe = Pipe(descriptor)
    pipe.send([json.dumps({}).encode()])
    with quietly():
        while (message := pipe.receive()) is not None:
            how, *files = message
            facts = json.loads(bytes(how))
            for file in files:
                pipe.send(_answer(bytes(file), Size.of(facts["size"]), facts["resize"]))


def _answer(file: bytes, size: Size, resize: Resize) -> list[Blob]:
    """Return a word, and the pixels or the reason why there are none."""
    try:
        return [b"pixels", decode(file, size, _NAME, resize).tobytes()]
    except DataError as error:
        return [b"unreadable", error.message.encode("utf-8", "replace")]


if __name__ == "__main__":
    main(int(sys.argv[1]))
