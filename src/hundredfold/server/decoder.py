"""The process that decodes: files of clients in, pixels of the network's size out.

`python -m hundredfold.server.decoder DESCRIPTOR`. Foreign bytes meet decoders of C here alone: a
file that ends the process, or keeps it too long, costs nobody else an answer.
"""

import json
import sys
import time

from hundredfold.data import Resize, decode, quietly
from hundredfold.errors import DataError
from hundredfold.server.channel import Blob, Pipe
from hundredfold.server.children import stand_back
from hundredfold.size import Size

_NAME = "the image"  # in messages, in place of a client's file name
_TOGETHER = 0.002  # seconds of decoding whose answers are sent together


def main(descriptor: int) -> None:
    """Decode what comes until the front is gone, and answer in the order of the files.

    Answers that take little time are sent together.
    """
    stand_back()
    pipe = Pipe(descriptor)
    pipe.send([json.dumps({}).encode()])
    with quietly():
        while (message := pipe.receive()) is not None:
            how, *files = message
            facts = json.loads(bytes(how))
            size, resize = Size.of(facts["size"]), facts["resize"]
            answers, sent = list[Blob](), time.monotonic()
            for file in files:
                answers += _answer(bytes(file), size, resize)
                if (now := time.monotonic()) - sent > _TOGETHER:
                    pipe.send(answers)
                    answers, sent = [], now
            if answers:
                pipe.send(answers)


def _answer(file: bytes, size: Size, resize: Resize) -> list[Blob]:
    """Return a word, and the pixels or the reason why there are none."""
    try:
        return [b"pixels", decode(file, size, _NAME, resize, full=True).tobytes()]
    except DataError as error:
        return [b"unreadable", error.message.encode("utf-8", "replace")]


if __name__ == "__main__":
    main(int(sys.argv[1]))
