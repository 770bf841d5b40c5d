"""Serving a playground, and acting on its page."""

import contextlib
import threading
import time

import uvicorn


@contextlib.contextmanager
def serving(app):
    """The address at which an application is served."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


def until(page, expression):
    """Wait until a JavaScript expression is true. (Playwright's own waiting needs eval, which the page forbids.)"""
    deadline = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(20)


def answered(page, act):
    """Do something, and wait until the model has answered it."""
    before = int(page.evaluate("document.body.dataset.answers || 0"))
    act()
    until(page, f"Number(document.body.dataset.answers || 0) > {before}")


def opened(page, tab):
    """Choose where the episode comes from, and wait for it."""
    before = int(page.evaluate("document.body.dataset.loads"))
    page.click(f"#tab-{tab}")
    until(page, f"Number(document.body.dataset.loads) > {before}")


def classes(locator):
    return set(locator.get_attribute("class").split())


def ready(open_page, address, **options):
    """A page at this address that can be used."""
    page = open_page(address, **options)
    page.wait_for_selector("body[data-ready]")
    return page
