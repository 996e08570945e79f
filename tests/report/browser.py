"""Debian's chromium, driven over chromedriver's plain HTTP: no package is needed for it."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 30
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,900")
# What chromium would ask of the network by itself.
QUIET = ("--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync")


def missing() -> str | None:
    """Why there is no browser, or None."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return (
        f"{' and '.join(absent)} not installed (apt-get install chromium chromium-driver)" if absent else None
    )


class Browser:
    """One session of a browser."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        flags = [*FLAGS, *QUIET, f"--user-data-dir={folder}"]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "args": flags,
                "perfLoggingPrefs": {"enableNetwork": True, "enablePage": False},
            },
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self._session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def _command(self, path: str, body: Any) -> Any:
        return self._ask("POST", f"/session/{self._session}/{path}", body)

    def tool(self, command: str, **parameters: Any) -> Any:
        """A command of the developer tools."""
        return self._command("goog/cdp/execute", {"cmd": command, "params": parameters})

    def show(self, page: Path, *, width: int = 1280, scheme: str = "light", media: str = "") -> None:
        """Opens a file on a screen of this width, in light or dark, on screen or in print."""
        self.tool(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.tool("Emulation.setEmulatedMedia", media=media, features=[feature])
        self._command("url", {"url": "about:blank"})
        self.log("browser"), self.log("performance")
        self._command("url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        """What a script in the page returns."""
        return self._command("execute/sync", {"script": script, "args": []})

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What was logged since the last time: `browser` (the console) or `performance` (the network)."""
        found: list[dict[str, Any]] = self._command("se/log", {"type": kind})
        return found

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last time."""
        events = (json.loads(entry["message"])["message"] for entry in self.log("performance"))
        return [
            one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """Ends the session, and with it the browser."""
        self._ask("DELETE", f"/session/{self._session}")


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `folder`, gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "chromedriver.log").open("w")
    with log, subprocess.Popen(["chromedriver", f"--port={port}"], stdout=log, stderr=log) as driver:
        try:
            _await(port)
            session = Browser(port, folder / "profile")
            try:
                yield session
            finally:
                session.close()
        finally:
            driver.terminate()


def _await(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            assert time.monotonic() < until, "chromedriver did not start"
            time.sleep(0.05)
