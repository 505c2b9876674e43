"""Chromium: opens a page without a screen and looks at it, over the DevTools protocol.

Commands go through a pipe to the browser, so that no port is opened and no package is needed.
"""

from __future__ import annotations

import base64
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

FLAGS = (
    *("--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--mute-audio", "--force-color-profile=srgb"),
)
PATIENCE = 90.0  # seconds for one answer: the software renderer is slow, and so may the machine be


def find_chromium() -> str | None:
    """The path of Chromium or Chrome, if one is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")


class Tab:
    """One tab of a browser, with all that it logged and asked the network for."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        return self._wait(lambda told: told.get("id") == self._number, method).get("result", {})

    def _wait(self, is_wanted: Any, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            told = self._read(deadline)
            if told is None:
                continue
            if "error" in told:
                raise RuntimeError(f"{what}: {told['error']}")
            if "id" not in told:
                self.events.append(told)
            if is_wanted(told):
                return told
        raise TimeoutError(f"Chromium did not answer to {what} within {PATIENCE:g} s")

    def _read(self, deadline: float) -> dict[str, Any] | None:
        """The next message; None if there is none before the deadline."""
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            part = os.read(self._in, 2**20)
            if not part:
                raise RuntimeError("Chromium has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def set_size(self, width: int, height: int, *, scale: float = 1.0) -> None:
        """Set the size of the window in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def open(self, path: Path, *, script: bool = True) -> None:
        """Open a file and wait until it is loaded."""
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.events.clear()
        self.call("Page.navigate", url=path.absolute().as_uri())
        if not any(each.get("method") == "Page.loadEventFired" for each in self.events):
            self._wait(lambda told: told.get("method") == "Page.loadEventFired", str(path))

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, of a promise what it becomes."""
        told = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise RuntimeError(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression in the page is true."""
        deadline = time.monotonic() + PATIENCE
        while not self._is_true(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression} did not become true within {PATIENCE:g} s")
            time.sleep(0.1)

    def _is_true(self, expression: str) -> bool:
        """Whether an expression is true, in the page that is there when it is looked at."""
        try:
            return bool(self.evaluate(f"!!({expression})"))
        except RuntimeError as error:
            if "navigated" in str(error):
                return False
            raise

    def press(self, key: str, *, code: int, shift: bool = False) -> None:
        """Press and release a key, by its name and Windows key code."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 * shift}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def take_picture(self, *, whole_page: bool = False) -> np.ndarray:
        """What the window shows, (rows, columns, 3), or the whole page."""
        told = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole_page,
            **({"clip": self._find_page()} if whole_page else {}),
        )  # fmt: skip
        with Image.open(io.BytesIO(base64.b64decode(told["data"]))) as picture:
            return np.asarray(picture.convert("RGB"))

    def _find_page(self) -> dict[str, float]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def print_pdf(self) -> bytes:
        """The page as it is printed on A4."""
        told = self.call(
            "Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True,
            printBackground=False,
        )  # fmt: skip
        return base64.b64decode(told["data"])

    def list_complaints(self) -> list[str]:
        """What the page logged as an error or a warning, and what went wrong in it."""
        self.evaluate("1")  # what was logged before has come then
        found = []
        for event in self.events:
            about = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(about["exceptionDetails"]))
            if event["method"] == "Log.entryAdded" and about["entry"]["level"] != "info":
                found.append(about["entry"]["text"])
            if event["method"] == "Runtime.consoleAPICalled" and about["type"] in (
                *("error", "warning", "assert"),
            ):
                found.append(" ".join(str(each.get("value")) for each in about["args"]))
        return found

    def list_requests(self) -> list[str]:
        """The addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]


@contextmanager
def open_browser() -> Iterator[Tab]:
    """A tab of a browser of its own, which ends with the block."""
    to_browser, from_test = os.pipe()
    from_browser, to_test = os.pipe()

    def give_pipes() -> None:  # the browser reads descriptor 3 and writes to 4
        for mine, theirs in ((to_browser, 13), (to_test, 14)):
            os.dup2(mine, theirs)
        os.dup2(13, 3)
        os.dup2(14, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [find_chromium() or "chromium", *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=give_pipes,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder},
        )
        try:
            yield Tab(from_test, from_browser)
        finally:
            process.kill()
            process.wait()
            for descriptor in (to_browser, from_test, from_browser, to_test):
                os.close(descriptor)
