"""A page in headless Chromium, by the DevTools protocol over two pipes."""

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

_PATIENCE = 60  # seconds


class Tab:
    """An open page. Messages of the protocol end with a zero byte (--remote-debugging-pipe)."""

    def __init__(self, url: str, folder: Path, width: int, height: int = 900) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        shell = f'exec chromium 3<&{theirs_in} 4>&{theirs_out} "$@"'
        flags = (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}",
        )  # fmt: skip
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *flags, "about:blank"],
            pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._waiting, self._session, self._number = b"", "", 0
        self.events: list[dict[str, Any]] = []
        every = self.call("Target.getTargets")["targetInfos"]
        (page,) = [one["targetId"] for one in every if one["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what a method of the protocol answers; keep the events that come before it."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            text, ended, rest = self._waiting.partition(b"\0")
            if not ended:
                piece = os.read(self._in, 2**20)
                assert piece, "Chromium ended"
                self._waiting += piece
                continue
            self._waiting, answer = rest, json.loads(text)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                found: dict[str, Any] = answer["result"]
                return found
            self.events.append(answer)

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        latest = time.monotonic() + _PATIENCE
        while not self.value(expression):
            assert time.monotonic() < latest, f"{expression} stays false"
            time.sleep(0.03)

    def drop(self, *files: Path, x: int = 200, y: int = 150) -> None:
        """Drag files from the desktop onto a point of the page, and drop them."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    @property
    def complaints(self) -> list[Any]:
        """What the console says, and what was thrown."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event["method"] in kinds]

    @property
    def requests(self) -> list[str]:
        """The addresses that the page asked for."""
        sent = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [str(one["request"]["url"]) for one in sent]

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)
        os.close(self._out)
        os.close(self._in)
