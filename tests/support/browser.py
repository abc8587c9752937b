"""Debian's Chromium, headless, driven by Playwright, which downloads nothing here."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = (
    "Playwright is not installed" if find_spec("playwright") is None else "" if CHROMIUM else "no Chromium"
)
"""Why there is no browser; empty if there is one."""

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Page:
    """A page with all that it has said: errors, messages of the console, and addresses that it asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", self._refuse)
        page.on("request", lambda request: self.asked.append(request.url))

    def _refuse(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a report and wait until its table is there."""
        self.page.goto(path.as_uri() + fragment)
        self.wait("document.documentElement.dataset.ready")

    def wait(self, condition: str) -> None:
        """Wait up to a minute until an expression is true. Playwright itself looks every half second."""
        self.page.evaluate(
            f"""() => new Promise((resolve, reject) => {{
              const look = () => {{ if ({condition}) resolve(); }};
              const kinds = {{ subtree: true, childList: true, attributes: true, characterData: true }};
              new MutationObserver(look).observe(document, kinds);
              setTimeout(() => reject(new Error("still not true")), 60_000);
              look();
            }})"""
        )

    def text(self, selector: str) -> str:
        """Return what a person reads there."""
        shown: str = self.page.inner_text(selector)
        return shown

    def texts(self, selector: str) -> list[str]:
        """Return what a person reads in each such element."""
        shown: list[str] = self.page.locator(selector).all_inner_texts()
        return shown


@contextmanager
def browser() -> Iterator[Any]:
    """A browser; ``opened`` opens pages in it."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - most environments do not have it

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def opened(running: Any, **settings: Any) -> Iterator[Page]:
    """A page in a context of its own, 1280 pixels wide unless the settings say otherwise."""
    context = running.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
    try:
        yield Page(context.new_page())
    finally:
        context.close()
