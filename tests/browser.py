"""A headless Chromium (Debian's package ``chromium``) for the tests of pages."""

import shutil
from urllib.parse import urlsplit

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium():
    """The browser; tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("there is no Chromium; install the package chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """``open_page(address, width=1280, scheme="light")``: a page in a window of its own. When the test is over, nothing
    may have complained on the console, and nothing may have been asked of another place than the page's own."""
    complaints, contexts = [], []

    def open_(address, width=1280, height=900, scheme="light", expected=()):
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        home = urlsplit(address)[:2]

        def heard(message):
            if message.type in ("error", "warning") and not any(part in message.text for part in expected):
                complaints.append(message.text)

        def asked(request):
            if urlsplit(request.url).scheme not in ("data", "blob") and urlsplit(request.url)[:2] != home:
                complaints.append(f"request to {request.url}")

        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", asked)
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == [], complaints
