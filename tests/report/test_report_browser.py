"""The page in a headless browser: it plays, from a file, without a complaint."""

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def page(open_page, report):
    """``page(width, scheme)``: the report, its players ready."""

    def open_(width=1280, scheme="light"):
        page = open_page(report.as_uri(), width=width, scheme=scheme)
        page.wait_for_selector('[data-films="episodes-0"] canvas')
        return page

    return open_


def counter(player):
    return player.locator(".counter").inner_text()


def test_the_player_steps_and_plays(page):
    player = page().locator('[data-films="trajectories-0"]')
    last = int(counter(player).split(" / ")[1])
    assert counter(player) == f"0 / {last}" and last >= 1
    player.get_by_label("step on").click()
    assert counter(player) == f"1 / {last}"
    player.get_by_label("step back").click()
    player.get_by_label("play", exact=True).click()
    player.page.wait_for_function(
        "last => document.querySelector('[data-films=\"trajectories-0\"] .counter').innerText === `${last} / ${last}`", arg=last
    )
    assert player.get_by_label("play", exact=True).count() == 1, "it stops at the end"


def test_space_plays_and_pauses(page):
    player = page().locator('[data-films="episodes-0"]')
    player.locator("input[type=range]").focus()
    said = player.locator(".said")
    assert said.get_attribute("aria-live") == "polite"
    player.page.keyboard.press("Space")
    assert player.get_by_label("pause").count() == 1 and said.get_attribute("aria-live") == "off"
    player.page.keyboard.press("Space")
    assert player.get_by_label("play", exact=True).count() == 1 and said.get_attribute("aria-live") == "polite"


def test_a_cell_that_is_pointed_at_is_read(page):
    player = page().locator('[data-films="trajectories-0"]')
    assert "Point at a cell" in player.locator(".pointed").inner_text()
    wrong = player.locator(".view-cell.wrong").first
    wrong.focus()
    told = player.locator(".pointed").inner_text()
    assert told.startswith("What happened: ") and "What it rebuilt: " in told
    assert told.endswith("% sure") and ", wrong, " in told and wrong.get_attribute("aria-label") in told
    x = int(wrong.get_attribute("data-x"))
    player.page.keyboard.press("ArrowRight" if x == 0 else "ArrowLeft")
    assert player.page.evaluate("Number(document.activeElement.dataset.x)") == (1 if x == 0 else x - 1)
    assert counter(player).startswith("0 /"), "cells, not steps"


def test_every_control_has_a_name(page):
    unnamed = page().evaluate("""[...document.querySelectorAll("button, input, select, summary, [role=gridcell]")]
        .filter((one) =>
        !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length)))
        .map((one) => one.outerHTML)""")
    assert unnamed == []


def test_keys_do_the_same(page):
    player = page().locator('[data-films="episodes-0"]')
    player.get_by_label("step on").focus()
    last = int(counter(player).split(" / ")[1])
    for key, expected in (("End", last), ("ArrowLeft", last - 1), ("Home", 0), ("ArrowRight", 1)):
        player.page.keyboard.press(key)
        assert counter(player) == f"{expected} / {last}"


def test_another_question_shows_other_views(page):
    player = page().locator('[data-films="trajectories-0"]')
    hidden = player.locator(".view-cell.hidden")
    before = hidden.count()
    player.get_by_role("button", name="Predict").click()
    player.get_by_label("step on").click()
    assert hidden.count() == 49 != before, "the whole view"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_any_width_and_follows_the_scheme(page, width, scheme):
    opened = page(width, scheme)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    red, *_ = opened.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red > 128) == (scheme == "light")
    opened.locator("[data-theme-toggle]").click()
    red, *_ = opened.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red > 128) == (scheme == "dark")
