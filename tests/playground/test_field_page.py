"""The page of any environment in a browser: hiding, asking, acting, with mouse and keyboard, at every width."""

from functools import partial

import pytest
from page_acts import answered, classes, opened, ready, serving, until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def field_address(field_app):
    with serving(field_app) as address:
        yield address


@pytest.fixture
def playground(open_page, field_address):
    return partial(ready, open_page, field_address)


def value(page, column, frame):
    return page.locator(f'[data-column="{column}"][data-frame="{frame}"]')


def press(page, column, frame, **how):
    answered(page, lambda: value(page, column, frame).click(**how))


def test_an_episode_is_lines_and_strips(playground, recorded, saved):
    page = playground()
    frames = saved.model.max_frames
    assert page.locator(".lane[role=row]").count() == 5, "the return is never shown, so it has no lane"
    assert page.locator(".lane.number polyline.line").count() == 4
    acted = page.locator(".lane.category .value-name").all_inner_texts()
    assert acted == [str(action) for action in recorded[0].actions["action"][: frames - 1]]
    assert f"{len(recorded[0])} actions, return {len(recorded[0])}" in page.inner_text("#outcome")
    page.click("[aria-label='later part']")
    until(page, f"document.querySelector('#chart-title').textContent.startsWith('Steps {frames - 1} ')")
    assert page.locator("#part").inner_text().startswith("Part 2 of")


def test_what_is_hidden_gives_way_to_median_and_band(playground):
    page = playground()
    press(page, 2, 4)
    lane = page.locator('[data-lane="2"]')
    assert {"asked", "selected"} <= classes(value(page, 2, 4))
    assert lane.locator("rect.band").count() == 1 and lane.locator("circle.median").count() == 1
    assert lane.locator("polyline.line").count() == 2, "the line has a gap"
    label = value(page, 2, 4).get_attribute("aria-label")
    assert "observation/2, step 4:" in label and "hidden and asked for" in label and "with 90% between" in label
    inspected = page.inner_text("#inspector")
    assert "median" in inspected and "Below the truth" in inspected and page.locator(".histogram .bin").count() == 64
    assert lane.locator(".secret").count() == 0
    page.check("#truth-too")
    assert lane.locator("polyline.secret").count() == 1
    value(page, 2, 4).click()
    until(page, "document.querySelectorAll('#chart .asked').length == 0")
    assert "Hide something" in page.inner_text("#summary")


def test_categories_are_right_or_wrong(playground):
    page = playground()
    press(page, 5, 3)
    assert classes(value(page, 5, 3)) & {"right", "wrong"} and "%" in value(page, 5, 3).inner_text()
    assert page.locator("#inspector .chances li").count() == 2 and page.locator("#inspector .is-true").count() == 1
    assert "of 1 categories right" in page.inner_text("#summary")


def test_cells_steps_and_ranges_can_be_hidden(playground, saved):
    page = playground()
    grains = {"its cell": (1, 4), "all at its step": (0, 4), "all from its step on": (0, 5 * (saved.model.max_frames - 2) - 1)}
    for grain, (column, number) in grains.items():
        page.get_by_label(grain, exact=True).check()
        press(page, column, 2)
        assert page.locator("#chart .asked").count() == number, grain
        page.click("#show-all")
    page.get_by_label("a value", exact=True).check()
    press(page, 1, 3)
    press(page, 1, 8, modifiers=["Shift"])
    assert [place for place in range(12) if "asked" in classes(value(page, 1, place))] == list(range(3, 9))
    page.click("#show-all")
    page.get_by_label("from one press to the next", exact=True).check()
    press(page, 0, 6)
    press(page, 0, 2)
    assert [place for place in range(12) if "asked" in classes(value(page, 0, place))] == list(range(2, 7))


def test_the_keyboard_does_what_the_mouse_does(playground):
    page = playground()
    value(page, 0, 0).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("[document.activeElement.dataset.column, document.activeElement.dataset.frame]") == ["1", "2"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    answered(page, lambda: page.keyboard.press("Enter"))
    assert "asked" in classes(value(page, 1, 2))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    answered(page, lambda: page.keyboard.press("Shift+Enter"))
    assert page.locator("#chart .asked").count() == 4
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.dataset.frame") == "0"
    assert page.evaluate("document.querySelectorAll('#chart [tabindex=\"0\"]').length") == 1


def test_hidden_or_removed_is_not_asked(playground):
    page = playground()
    page.get_by_label("only hides", exact=True).check()
    value(page, 1, 3).click()
    page.get_by_label("removes", exact=True).check()
    value(page, 1, 4).click()
    assert "hidden" in classes(value(page, 1, 3)) and "dropped" in classes(value(page, 1, 4))
    assert "Hide something" in page.inner_text("#summary")
    page.get_by_label("hides and asks", exact=True).check()
    press(page, 1, 5)
    assert page.locator("#chart rect.band").count() == 1


def test_a_query_with_a_decoder(playground):
    page = playground()
    page.select_option("#query", "forward_dynamics")
    page.fill("#option-step", "5")
    answered(page, lambda: page.click("#question .primary"))
    assert page.locator("#chart .asked").count() == 4 == page.locator("#chart rect.band").count()
    assert "selected" in classes(value(page, 0, 6)) and "of 4 numbers within 90%" in page.inner_text("#summary")
    assert page.locator("#chart .dropped").count() > 20
    page.click("#decoding summary")
    page.select_option("#decoder", "confidence")
    until(page, "document.querySelector('#inspector').textContent.includes('Several passes')")
    assert page.locator("#chart rect.band").count() == 0 and page.locator("#chart circle.median").count() == 4


def test_what_cannot_be_asked_is_said_on_the_page(playground):
    page = playground(expected=["400 (Bad Request)"])
    page.fill("#option-step", "77")
    page.click("#question .primary")
    page.wait_for_selector("#error:not([hidden])")
    assert "step must be between 0 and" in page.inner_text("#error")
    press(page, 2, 3)
    assert page.locator("#error").is_hidden()


def test_the_agent_steps_live(playground):
    page = playground()
    opened(page, "live")
    page.wait_for_selector("#action-entries .chosen")
    assert "not there" in value(page, 5, 0).get_attribute("aria-label")
    press(page, 2, 0)
    page.click("#step")
    until(page, "document.querySelectorAll('.lane.axis .at').length == 2")
    assert "asked" in classes(value(page, 2, 0)), "what was hidden stays so"
    page.wait_for_selector("#action-entries .chosen")
    page.select_option("#action-entries select", "1")
    page.click("#action-form button")
    until(page, "document.querySelectorAll('.lane.axis .at').length == 3")
    assert value(page, 5, 1).inner_text() == "1" and "2 actions, return 2, under way" in page.inner_text("#outcome")
    page.click("#undo")
    until(page, "document.querySelectorAll('.lane.axis .at').length == 2")
    page.fill("#auto-hide", "90")
    page.click("#play")
    until(page, "document.querySelectorAll('#chart .asked').length > 4")
    page.click("#play")


def test_a_seed_is_played_by_the_agent(playground):
    page = playground()
    opened(page, "played")
    assert page.locator("#player option").all_inner_texts() == ["the agent"], "no expert of CartPole is known"
    press(page, 0, 2)


def test_many_fields_are_shown_on_demand(open_page, arm_app):
    with serving(arm_app) as address:
        page = open_page(address)
        page.wait_for_selector("body[data-ready]")
        assert page.locator("#tab-played").is_disabled() and page.locator("#tab-live").is_disabled()
        assert page.locator(".lane[role=row]").count() == 24 and page.locator(".lane.action").count() == 2
        assert page.inner_text("#facts").startswith("goal 0.") and page.inner_text("#num-rows") == "24 of 33 are shown"
        assert classes(value(page, 0, 2)) >= {"none"} and "not there" in value(page, 0, 2).get_attribute("aria-label")
        press(page, 1, 3)
        page.click("#more-rows")
        assert page.locator(".lane[role=row]").count() == 33 and page.locator("#more").is_hidden()
        assert page.locator("#chart rect.band").count() == 1, "the answer is still shown"
        page.click("#mission")
        assert page.inner_text("#mission") == "mission removed"


def test_every_control_has_a_name(playground):
    page = playground()
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select, summary, [role=gridcell]")].filter((one) =>
        !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length)))
        .map((one) => one.outerHTML)""")
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768])
def test_nothing_is_wider_than_the_screen(playground, width, scheme):
    page = playground(width=width, scheme=scheme)
    for tab in ("recorded", "played", "live"):
        opened(page, tab)
        press(page, 2, 0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert value(page, 2, 0).bounding_box()["width"] >= 24
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 60)")
    assert dark == (scheme == "dark")
