"""A running server, as tests see it."""

import json
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil


class Server:
    """A running `hundredfold serve`. log: its events so far."""

    def __init__(self, file: Path, folder: Path, *options: str) -> None:
        self.file, self._log = file, folder / f"log-{time.monotonic_ns()}.txt"
        command = [sys.executable, "-m", "hundredfold", "serve", str(file), "--port=0", *options]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, cwd=folder, text=True
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, self._log.read_text()
        self.port = int(self.url.rpartition(":")[2])

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line[:1] == "{"]

    @property
    def text_of_log(self) -> str:
        return self._log.read_text()

    def children(self, kind: str) -> list[psutil.Process]:
        """Return its processes of a kind: worker or decoder."""
        every = psutil.Process(self.process.pid).children()
        return [child for child in every if f"hundredfold.server.{kind}" in child.cmdline()]

    def resume(self) -> None:
        """Let stopped processes go on."""
        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children():
                child.resume()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        response, body = self.ask("GET", path, **headers)
        return response.status, body

    def post(self, body: bytes, path: str = "/predict", **headers: str) -> tuple[int, Any]:
        """Return the status and the JSON of the answer."""
        response, answer = self.ask("POST", path, body, **headers)
        return response.status, json.loads(answer)

    def await_event(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait for an event in the log, and return it."""
        patience = time.monotonic() + 20
        while time.monotonic() < patience:
            found = [event for event in self.log if event["event"] == name]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"no {name} in {self.log}")

    def end(self) -> int:
        """Send SIGTERM and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.process.communicate()
