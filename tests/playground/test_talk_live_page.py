"""The live agent of a text world in a browser: acting by the agent or by oneself, with mouse and keyboard, at every width."""

from functools import partial

import pytest
from page_acts import answered, classes, opened, ready, serving, until

pytestmark = pytest.mark.browser
LEFT = (
    "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(document.querySelector('#turns'))"
)
"""Pixels of the turns below what is shown of them."""


@pytest.fixture(scope="module")
def world_address(world_app):
    with serving(world_app) as address:
        yield address


@pytest.fixture
def playground(open_page, world_address):
    def open_(**options):
        page = partial(ready, open_page, world_address)(**options)
        opened(page, "live")
        return candidates_of(page)

    return open_


def candidates_of(page):
    until(page, "document.querySelectorAll('#candidates:not(.waiting) li').length == 4")
    return page


def done(page, act):
    """Do something after which the episode goes on, and wait for what the agent would do then."""
    before = int(page.evaluate("document.body.dataset.loads"))
    act()
    until(page, f"Number(document.body.dataset.loads) > {before}")


def actions(page):
    return page.locator(".turn.action .turn-words").all_inner_texts()


def candidate(page, action):
    return page.locator(f'#candidates [data-action="{action}"]')


def test_the_agent_steps_and_is_undone(playground):
    page = playground()
    assert page.inner_text("#task") == "Take the lamp." and "0 actions, score 0, under way" in page.inner_text("#outcome")
    shares = [text.strip("%<>") for text in page.locator("#candidates .value").all_inner_texts()]
    assert 98 <= sum(map(int, shares)) <= 102
    chosen = page.locator("#candidates .chosen button").get_attribute("data-action")
    done(page, lambda: page.click("#step"))
    assert actions(page) == [chosen] and page.locator(".turn").count() == 4
    assert "selected" in classes(page.locator(".turn").last), "the newest observation"
    done(candidates_of(page), lambda: page.click("#undo"))
    assert actions(page) == [] and page.locator("#undo").is_disabled()


def test_one_acts_oneself_by_pressing_and_typing(playground):
    page = playground()
    done(page, candidate(page, "go on").click)
    assert actions(page) == ["go on"] and "kitchen" in page.locator(".turn").last.inner_text()
    page.fill("#own-text", "go")
    assert page.locator("#candidates li").count() == 2 and "2 of 4 contain this" in page.inner_text("#candidates-note")
    page.fill("#own-text", "Go Back")
    done(page, lambda: page.press("#own-text", "Enter"))
    assert actions(page) == ["go on", "go back"], "as the environment writes it"
    assert page.input_value("#own-text") == "" and page.evaluate("document.activeElement.id") == "own-text"
    page.fill("#own-text", "sing <b>a song</b>")
    assert "not admissible" in page.inner_text("#candidates-note")
    done(page, lambda: page.click("#own-action button"))
    assert actions(page)[-1] == "sing <b>a song</b>" and page.locator("#turns b").count() == 0


def test_an_episode_comes_to_its_end_and_begins_again(playground):
    page = playground()
    page.fill("#live-seed", "30000002")
    done(page, lambda: page.click("#panel-live [type=submit]"))
    for action in ("go on", "go on", "go on", "take lamp"):
        done(candidates_of(page), candidate(page, action).click)
    assert "4 actions, score 1, mission accomplished" in page.inner_text("#outcome")
    assert page.locator("#candidates li").count() == 0 and "over" in page.inner_text("#candidates-note")
    assert page.locator("#step").is_disabled() and page.locator("#own-text").is_disabled()
    assert page.evaluate("document.activeElement.id") == "undo", "the focus is not lost with the list"
    done(page, lambda: page.click("#live-another"))
    assert page.input_value("#live-seed") == "30000003" and actions(candidates_of(page)) == []


def test_it_plays_until_it_is_paused(playground):
    page = playground()
    page.click("#play")
    until(page, "document.querySelectorAll('.turn.action').length >= 2")
    page.click("#play")
    assert page.inner_text("#play") == "▶ Play" and page.locator("#error").is_hidden()


def test_what_was_tried_is_said(playground):
    page = playground()
    done(page, candidate(page, "wait").click)
    done(candidates_of(page), candidate(page, "wait").click)
    candidates_of(page)
    assert "done 2× after this" in candidate(page, "wait").inner_text()
    assert "done" not in candidate(page, "go on").inner_text()


def test_the_agent_does_not_read_what_is_hidden(playground):
    page = playground()
    done(page, candidate(page, "go on").click)
    shares = "[...document.querySelectorAll('#candidates .fill')].map((one) => one.style.getPropertyValue('--share')).join()"
    before = candidates_of(page).evaluate(shares)
    answered(page, page.locator('[data-turn="3"][data-word="-1"]').click)
    until(page, f"{shares} != {before!r}")
    done(page, candidate(page, "go on").click)
    assert page.locator(".turn").nth(3).locator(".verdict").is_visible(), "what was hidden stays hidden"
    page.click("#show-all")
    assert page.locator(".verdict:not([hidden])").count() == 0


def test_words_of_each_new_observation_are_hidden_by_chance(playground):
    page = playground()
    page.evaluate(
        "const range = document.querySelector('#auto-hide'); range.value = 90; range.dispatchEvent(new Event('input'))"
    )
    assert page.inner_text("#auto-hide-share") == "90%"
    answered(page, candidate(page, "go on").click)
    until(page, "document.querySelectorAll('.turn:last-child .word.told').length > 0")
    assert page.locator(".turn").nth(1).locator(".word.told").count() == 0


def test_what_is_refused_can_be_mended(playground):
    page = playground(expected=("422",))
    done(page, candidate(page, "go on").click)
    candidates_of(page)
    page.evaluate("document.querySelector('#own-text').value = 'a'.repeat(2001)")
    page.click("#own-action button")
    until(page, "!document.querySelector('#error').hidden")
    assert "at most 2000 characters" in page.inner_text("#error") and len(page.input_value("#own-text")) == 2001
    page.fill("#own-text", "")
    done(candidates_of(page), candidate(page, "go on").click)
    assert actions(page) == ["go on", "go on"]


def test_the_keyboard_acts(playground):
    page = playground()
    candidate(page, "go on").focus()
    done(page, lambda: page.keyboard.press("Enter"))
    assert actions(candidates_of(page)) == ["go on"]
    assert page.evaluate("document.activeElement.closest('#candidates') !== null"), "the hand stays on the list"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.locator("#step").focus()
    done(page, lambda: page.keyboard.press("Space"))
    assert len(actions(page)) == 2


def test_other_episodes_are_played_to_their_end(playground):
    page = playground()
    opened(page, "played")
    page.select_option("#player", "bot")
    until(page, "document.querySelector('#outcome').textContent.includes('mission accomplished')")
    assert page.locator("#agent").is_hidden() and page.locator("#task").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(playground, width, scheme):
    page = playground(width=width, scheme=scheme)
    for _ in range(6):
        done(candidates_of(page), lambda: page.click("#step"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    until(page, f"{LEFT} < 2")
    last, step = page.locator(".turn").last.bounding_box(), page.locator("#step").bounding_box()
    assert last["y"] + last["height"] <= 900 and step["y"] >= 0, "what was seen last and the next step are in sight together"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 60)")
    assert dark == (scheme == "dark")


def test_every_control_has_a_name(playground):
    page = playground()
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select, summary, [role=button]")].filter((one) =>
        !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length)))
        .map((one) => one.outerHTML)""")
    assert unnamed == []
