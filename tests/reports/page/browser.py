"""A headless Chromium, driven by its own DevTools protocol over aiohttp.

Selenium would bring a driver, a server and a dozen packages between a test and the browser; of the
protocol we need five methods, and aiohttp is here already. It also tells what Selenium doesn't:
every request, what the accessibility tree says, and how the page prints.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import shutil
import signal
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CHROMIUM: Final = shutil.which("chromium")

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_PATIENCE: Final = 60.0
"""Seconds after which a browser that says nothing is given up: far above what it ever takes."""


class Tab:
    """One tab: what is asked of it, and what it tells unasked."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        """Every address that was asked for."""
        self.complaints: list[str] = []
        """What went to the console, exceptions and violations of the page's policy."""
        self._line = line
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._line.close()

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something, and give the answer."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._line.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(_PATIENCE):
            return await answer

    async def open(self, page: Path | str, *, width: int = 1280, height: int = 900) -> None:
        """Load a file or an address, and wait until it is there."""
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility", "DOM"):
            await self.send(f"{domain}.enable")
        await self.resize(width, height)
        self._loaded.clear()
        url = page if isinstance(page, str) else page.as_uri()
        await self.send("Page.navigate", url=url)
        async with asyncio.timeout(_PATIENCE):
            await self._loaded.wait()

    async def resize(self, width: int, height: int) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def run(self, script: str) -> Any:
        """Give what an expression of JavaScript is worth, once it is settled."""
        answer = await self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait for an expression to become true, looking once a frame."""
        look = f"const look = () => ({script}) ? done() : requestAnimationFrame(look)"
        await self.run(f"new Promise(done => {{ {look}; look(); }})")

    async def press(self, key: str, *, code: int, text: str = "") -> None:
        """Press a key, as a hand would."""
        about: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = about | ({"text": text} if text else {})
        await self.send("Input.dispatchKeyEvent", type="keyDown", **down)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    async def write(self, text: str) -> None:
        """Type a text where the focus is."""
        await self.send("Input.insertText", text=text)

    async def media(self, medium: str = "", **features: str) -> None:
        """Show the page as for a medium, and to somebody who prefers something."""
        wanted = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        await self.send("Emulation.setEmulatedMedia", media=medium, features=wanted)

    async def tree(self) -> list[dict[str, Any]]:
        """Give what a screen reader is told, without what it ignores."""
        answer = await self.send("Accessibility.getFullAXTree")
        return [node for node in answer["nodes"] if not node["ignored"]]

    async def picture(self, *, whole: bool = False) -> bytes:
        """Take a PNG of what is seen, or of the whole page."""
        answer = await self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    async def pdf(self) -> bytes:
        """Print."""
        answer = await self.send("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(answer["data"])

    async def _read(self) -> None:
        async for message in self._line:
            said = message.json()
            if "id" in said:
                self._settle(self._answers.pop(said["id"]), said)
            else:
                self._hear(said["method"], said["params"])

    @staticmethod
    def _settle(answer: asyncio.Future[dict[str, Any]], said: dict[str, Any]) -> None:
        if answer.done():
            return
        if "error" in said:
            answer.set_exception(AssertionError(said["error"]["message"]))
        else:
            answer.set_result(said["result"])

    def _hear(self, event: str, about: dict[str, Any]) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(about["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(about["args"]))
            case "Log.entryAdded":
                self.complaints.append(about["entry"]["text"])
            case _:
                pass


class Browser:
    """One Chromium, without a window, an account or a history."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def __aenter__(self) -> Self:
        assert CHROMIUM is not None
        self._process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={self._home}",
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                self._address = await self._find_address()
        except BaseException:
            await self.__aexit__()
            raise
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if (http := getattr(self, "_http", None)) is not None:
            await http.close()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        # What it says on its way out has to be read, or it waits with a full pipe.
        await self._process.communicate()

    @contextlib.asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        async with self._http.put(f"http://{self._address}/json/new?about:blank") as answer:
            target = await answer.json(content_type=None)
        line = await self._http.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
        tab = Tab(line)
        try:
            yield tab
        finally:
            await tab.close()
            async with self._http.get(f"http://{self._address}/json/close/{target['id']}"):
                pass

    async def _find_address(self) -> str:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            _, found, rest = line.decode(errors="replace").partition("listening on ws://")
            if found:
                return rest.partition("/")[0]
        raise AssertionError("chromium ended before it listened")
