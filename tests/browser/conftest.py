"""A real Chromium, signed in, that notes every violation of the content security policy."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Error, Page, sync_playwright

# Playwright's sync API keeps an event loop in this thread, which Django takes for async code
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# a container often runs as root without a sandbox, and nothing here may phone home
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

NOTE_VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            pytest.skip(f"no Chromium here: {error.message.splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture
def page_of(browser: Browser, live_server: Any, client: Any) -> Iterator[Callable[..., Page]]:
    """`page_of(user, width=…)`: a page signed in; what its console complains about is in `page.complaints`."""
    contexts = []

    def make(user: User | None, *, width: int = 1440, language: str = "en-GB", theme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            locale=language,
            color_scheme=theme,
            base_url=live_server.url,
        )
        contexts.append(context)
        if user is not None:
            client.force_login(user)
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page = context.new_page()
        page.complaints = []
        page.add_init_script(NOTE_VIOLATIONS)
        page.on("console", lambda message: _note(page, message))
        page.on("pageerror", lambda error: page.complaints.append(f"{page.url} {error}"))
        return page

    yield make
    for context in contexts:
        context.close()


def _note(page: Page, message: Any) -> None:
    if message.type == "error":
        page.complaints.append(f"{page.url} {message.text}")
