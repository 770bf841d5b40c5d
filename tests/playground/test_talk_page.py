"""The page of conversations in a browser: hiding words and turns, asking, with mouse and keyboard, at every width."""

from functools import partial

import pytest
from page_acts import answered, classes, ready, serving, until

pytestmark = pytest.mark.browser
NAME = -1


@pytest.fixture(scope="module")
def text_address(text_app):
    with serving(text_app) as address:
        yield address


@pytest.fixture
def playground(open_page, text_address):
    return partial(ready, open_page, text_address)


def at(page, turn, word=NAME):
    return page.locator(f'[data-turn="{turn}"][data-word="{word}"]')


def focused(page):
    return page.evaluate("[document.activeElement.dataset.turn, document.activeElement.dataset.word].map(Number)")


def show(page, number):
    before = int(page.evaluate("document.body.dataset.loads"))
    page.fill("#number", str(number))
    page.locator("#number").blur()
    until(page, f"Number(document.body.dataset.loads) > {before}")


def test_an_episode_is_a_column_of_turns(playground):
    page = playground()
    assert page.locator(".turn-name").all_inner_texts() == [
        *("mission", "observation 0", "action 0", "observation 1", "action 1", "observation 2")
    ]
    assert page.locator(".turn").nth(1).locator(".word").all_inner_texts()[:3] == ["a", "yellow", "door"]
    assert "2 actions, mission accomplished" in page.inner_text("#outcome") and page.locator("#mission").is_hidden()
    page.click("[aria-label='next episode']")
    until(page, "document.querySelector('.turn-words').textContent.includes('next to the box')")
    assert "recorded" in page.inner_text("#outcome")


def test_a_hidden_word_is_answered_in_its_place(playground):
    page = playground()
    answered(page, at(page, 1, 1).click)
    word = at(page, 1, 1)
    assert "told" in classes(word) and classes(word) & {"right", "wrong"}
    right = "right" in classes(word)
    assert word.locator(".sign").inner_text() == ("✓" if right else "✕"), "not by colour alone"
    label = word.get_attribute("aria-label")
    assert "the model says" in label and "%" in label and ("right" in label if right else "in truth yellow" in label)
    assert "%" in page.locator(".turn").nth(1).locator(".verdict").inner_text()
    assert page.locator("#inspector .chances li").count() == 3 and "yellow" in page.inner_text("#inspector")
    assert "of 1 word" in page.inner_text("#summary")
    at(page, 1, 1).click()
    until(page, "document.querySelectorAll('.word.told').length == 0")
    assert at(page, 1, 1).inner_text() == "yellow" and "Hide something" in page.inner_text("#summary")


def test_a_whole_turn_is_hidden_and_shown_again(playground):
    page = playground()
    answered(page, at(page, 2).click)
    turn = page.locator(".turn").nth(2)
    assert at(page, 2).get_attribute("aria-pressed") == "true" and turn.locator(".word.told").count() > 0
    assert "wait" in turn.locator(".verdict").inner_text() or "right" in turn.locator(".verdict").inner_text()
    inspected = page.inner_text("#inspector")
    assert "It says" in inspected and "In truth: wait" in inspected and "admissible actions" in inspected
    assert page.locator("#inspector .candidates .is-true").count() == 1
    answered(page, lambda: at(page, 3).click(modifiers=["Shift"]))
    assert page.locator(".verdict:not([hidden])").count() == 2
    turn.locator(".word.told").first.click()
    until(page, "document.querySelectorAll('.verdict:not([hidden])').length == 1")
    page.click("#show-all")
    assert page.locator(".word.told").count() == 0


def test_the_keyboard_goes_everywhere(playground):
    page = playground()
    at(page, 0).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert focused(page) == [1, 1]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert "yellow" in page.inner_text("#inspector")
    answered(page, lambda: page.keyboard.press("Enter"))
    assert focused(page) == [1, 1] and "told" in classes(at(page, 1, 1))
    answered(page, lambda: page.keyboard.press("Shift+Enter"))
    assert page.locator(".turn").nth(1).locator(".verdict").is_visible() and focused(page)[0] == 1
    page.keyboard.press("Home")
    assert focused(page) == [1, NAME]
    page.keyboard.press("Space")
    until(page, "document.querySelectorAll('.word.told').length == 0")
    page.keyboard.press("ArrowLeft")
    assert focused(page)[0] == 0 and focused(page)[1] == 4, "the last word of the mission"
    page.keyboard.press("ArrowUp")
    assert focused(page) == [0, NAME]
    assert page.locator('#turns [tabindex="0"]').count() == 1


def test_hidden_or_removed_words_are_not_asked(playground):
    page = playground()
    page.get_by_label("only hides", exact=True).check()
    at(page, 1, 0).click()
    page.get_by_label("removes", exact=True).check()
    at(page, 2).click()
    assert at(page, 1, 0).inner_text() == "–" and page.locator(".turn").nth(2).inner_text().endswith("removed")
    assert "Hide something" in page.inner_text("#summary")
    page.get_by_label("hides and asks", exact=True).check()
    answered(page, at(page, 1, 1).click)
    assert page.locator(".word.told").count() == 1
    answered(page, at(page, 2).click)
    assert page.locator(".turn").nth(2).locator(".verdict").is_visible(), "a removed turn is asked for, with its marks"


def test_queries_are_asked_and_decoded(playground):
    page = playground()
    page.select_option("#query", "inverse_dynamics")
    page.fill("#option-step", "0")
    answered(page, lambda: page.click("#question .primary"))
    assert page.locator(".turn").nth(2).locator(".verdict").is_visible() and "action 0" in page.inner_text("#inspector")
    assert page.locator(".turn").nth(4).locator(".word.removed").count() == 1
    page.click("#decoding summary")
    answered(page, lambda: page.select_option("#decoder", "confidence"))
    page.locator(".word.told").first.focus()
    assert "Several passes decided" in page.inner_text("#inspector")
    page.fill("#option-step", "0")


def test_what_a_stranger_wrote_stays_text(playground):
    page = playground()
    show(page, 1)
    assert "<img src=x onerror=alert(1)> </script>" in page.locator(".turn").nth(1).inner_text()
    assert page.locator("#turns img, #turns script").count() == 0
    answered(page, at(page, 1).click)
    assert "<img" in page.inner_text("#inspector") and page.locator("img, main script").count() == 0


def test_turns_that_are_always_shown_say_so(playground):
    page = playground()
    show(page, 1)
    at(page, 3).click()
    assert "always shown" in page.inner_text("#error") and page.locator(".turn").nth(3).locator(".word").count() == 0
    page.get_by_label("removes", exact=True).check()
    at(page, 3).click()
    assert page.locator("#error").is_hidden() and page.locator(".turn").nth(3).inner_text().endswith("removed")


def test_long_conversations_have_parts(playground):
    page = playground()
    show(page, 2)
    page.click("[aria-label='later part']")
    until(page, "document.querySelector('#talk-title').textContent.includes('from step')")
    assert page.locator("#part").inner_text().startswith("Part 2 of")
    answered(page, at(page, 1).click)


def test_every_control_of_the_column_has_a_name(playground):
    page = playground()
    answered(page, at(page, 1, 1).click)
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select, summary, [role=button]")].filter((one) =>
        !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length)))
        .map((one) => one.outerHTML)""")
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768])
def test_no_turn_is_wider_than_the_screen(playground, width, scheme):
    page = playground(width=width, scheme=scheme)
    answered(page, at(page, 3).click)
    answered(page, at(page, 1, 1).click)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    seen = page.locator("#inspector").bounding_box()
    assert seen["y"] < 900 and seen["width"] > 250, "what is selected is in sight"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 60)")
    assert dark == (scheme == "dark")
