"""The page in a browser: hiding, asking, acting, with mouse and keyboard, at every width."""

import statistics
from functools import partial

import pytest
from page_acts import answered, classes, opened, ready, serving, until

pytestmark = pytest.mark.browser
CLICKS, MILLISECONDS = 15, 300


@pytest.fixture(scope="module")
def address(app):
    with serving(app) as address:
        yield address


@pytest.fixture
def playground(open_page, address):
    return partial(ready, open_page, address)


def cell(page, x, y, where="shown"):
    return page.locator(f'#{where} [data-x="{x}"][data-y="{y}"]')


def test_the_page_opens_on_a_recorded_episode(playground, trajectories):
    page = playground()
    assert page.inner_text("#mission") == f"“{trajectories[0].mission}”"
    assert page.locator(".strip-view").count() == len(trajectories[0]) + 1
    names = ["left", "right", "forward", "pickup", "drop", "toggle", "done"]
    found = [text.split()[-1] for text in page.locator(".strip-action").all_inner_texts()]
    assert found == [names[action] for action in trajectories[0].actions]
    page.click("[aria-label='next episode']")
    until(page, "document.querySelectorAll('.strip-view').length == " + str(len(trajectories[1]) + 1))


def test_hiding_a_cell_changes_the_reconstruction(playground):
    page = playground()
    assert "hidden" not in classes(cell(page, 2, 3)) and "idle" in classes(page.locator("#rebuilt"))
    answered(page, cell(page, 2, 3).click)
    assert "hidden" in classes(cell(page, 2, 3)) and "idle" not in classes(page.locator("#rebuilt"))
    rebuilt = cell(page, 2, 3, "rebuilt")
    assert classes(rebuilt) & {"right", "wrong"} and "rated" in classes(rebuilt)
    assert "asked cell" in page.inner_text("#rebuilt-note") and "of 1 cells" in page.inner_text("#summary")
    assert "the model says" in rebuilt.get_attribute("aria-label")
    shares = [int(text.strip("%<>")) for text in page.locator("#inspector .value").all_inner_texts()]
    assert len(shares) >= 6 and all(0 <= share <= 100 for share in shares)
    assert page.locator("#inspector .is-true").count() >= 1
    first = page.inner_text("#inspector")
    beside = [(3, 3), (1, 3), (2, 2), (2, 4), (3, 2), (3, 4)]
    for place in beside:
        answered(page, cell(page, *place).click)
    cell(page, 2, 3).hover()
    assert page.inner_text("#inspector") != first, "what is hidden beside it changes what the model believes"
    for place in [*beside, (2, 3)]:
        cell(page, *place).click()
    page.wait_for_selector("#rebuilt.idle")
    assert "Hide something" in page.inner_text("#summary")


def test_the_keyboard_does_what_the_mouse_does(playground):
    page = playground()
    cell(page, 0, 0).focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("[document.activeElement.dataset.x, document.activeElement.dataset.y]") == ["1", "2"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    answered(page, lambda: page.keyboard.press("Enter"))
    assert "hidden" in classes(cell(page, 1, 2))
    page.keyboard.press("Space")
    page.wait_for_selector("#rebuilt.idle")
    page.locator(".strip-view").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#view-title").startswith("View 1 of")
    page.locator("#tab-recorded").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#tab-played[aria-selected=true]")
    assert page.evaluate("document.activeElement.id") == "tab-played"


def test_every_control_has_a_name(playground):
    page = playground()
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select, summary, [role=gridcell]")].filter((one) =>
        !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length)))
        .map((one) => one.outerHTML)""")
    assert unnamed == []


def test_attributes_views_actions_and_directions_can_be_hidden(playground):
    page = playground()
    page.get_by_label("its color", exact=True).check()
    answered(page, cell(page, 2, 3).click)
    assert cell(page, 2, 3).get_attribute("data-letters") == "c" and page.locator("#inspector .chances").count() == 1
    page.get_by_label("the whole view", exact=True).check()
    answered(page, cell(page, 2, 3).click)
    assert page.locator("#shown .hidden").count() == 49 and "of 49 asked cells" in page.inner_text("#rebuilt-note")
    assert "1 directions" in page.inner_text("#summary")
    answered(page, page.locator(".strip-action").first.click)
    action = page.locator(".strip-action").first
    assert action.get_attribute("aria-pressed") == "true" and classes(action) & {"right", "wrong"}
    page.click("#show-all")
    page.wait_for_selector("#rebuilt.idle")
    answered(page, lambda: page.click("#direction"))
    assert classes(page.locator("#direction")) & {"right", "wrong"}


def test_hidden_or_removed_is_not_asked(playground):
    page = playground()
    page.get_by_label("only hides", exact=True).check()
    cell(page, 1, 3).click()
    assert {"hidden", "unasked"} <= classes(cell(page, 1, 3)) and "idle" in classes(page.locator("#rebuilt"))
    page.get_by_label("removes", exact=True).check()
    cell(page, 1, 4).click()
    assert "dropped" in classes(cell(page, 1, 4))
    page.click("#mission")
    assert page.inner_text("#mission") == "mission removed"
    page.get_by_label("hides and asks", exact=True).check()
    answered(page, cell(page, 2, 3).click)
    assert "of 1 cells" in page.inner_text("#summary")


def test_the_mission_is_said_where_it_is_asked_for(playground, trajectories):
    page = playground()
    answered(page, lambda: page.click("#mission"))
    said = page.inner_text("#mission")
    assert said.startswith("the model says “") and len(said.split()) == 3 + len(trajectories[0].mission.split())
    assert len(classes(page.locator("#mission")) & {"right", "wrong"}) == 1
    assert f"of {len(trajectories[0].mission.split())} words of the mission" in page.inner_text("#summary")
    page.click("#mission")
    assert page.inner_text("#mission") == f"“{trajectories[0].mission}”"
    assert not classes(page.locator("#mission")) & {"right", "wrong"}
    page.get_by_label("only hides", exact=True).check()
    page.click("#mission")
    assert page.inner_text("#mission") == "mission hidden"


def test_a_query_with_a_decoder(playground):
    page = playground()
    page.select_option("#query", "forward_dynamics")
    page.fill("#option-step", "0")
    answered(page, lambda: page.click("#question .primary"))
    assert page.inner_text("#view-title").startswith("View 1 of") and page.locator("#shown .hidden").count() == 49
    assert page.locator("#rebuilt .right, #rebuilt .wrong").count() == 49
    bars = page.locator("#inspector .chances li").count()
    page.click("#decoding summary")
    page.select_option("#decoder", "confidence")
    until(page, "document.querySelector('#inspector').textContent.includes('Several passes')")
    assert page.locator("#inspector .chances li").count() < bars and page.locator("#num-passes").is_visible()
    page.select_option("#query", "next_action")
    answered(page, lambda: page.select_option("#decoder", ""))
    answered(page, lambda: page.click("#question .primary"))
    assert "of 1 actions" in page.inner_text("#summary")


def test_what_cannot_be_asked_is_said_on_the_page(playground):
    page = playground(expected=["400 (Bad Request)"])
    page.select_option("#query", "next_action")
    page.fill("#option-step", "77")
    page.click("#question .primary")
    page.wait_for_selector("#error:not([hidden])")
    assert "step must be between 0 and" in page.inner_text("#error") and "77" in page.inner_text("#error")
    assert page.locator("#shown .hidden").count() == 0
    answered(page, cell(page, 2, 3).click)
    assert page.locator("#error").is_hidden()


def test_a_server_that_is_gone_is_said_on_the_page(playground):
    page = playground(expected=["Failed to load resource"])
    page.route("**/api/answer", lambda route: route.abort())
    cell(page, 2, 3).click()
    page.wait_for_selector("#error:not([hidden])")
    assert "does not answer" in page.inner_text("#error")
    page.unroute("**/api/answer")
    answered(page, cell(page, 3, 3).click)
    assert page.locator("#error").is_hidden() and "of 2 cells" in page.inner_text("#summary")


def test_a_seed_is_played_by_the_bot(playground):
    page = playground()
    opened(page, "played")
    page.select_option("#player", "bot")
    until(page, "document.querySelector('#outcome').textContent.includes('mission accomplished')")
    answered(page, cell(page, 2, 3).click)


def test_the_agent_steps_live(playground):
    page = playground()
    opened(page, "live")
    page.wait_for_selector("#actions .chosen")
    world = page.evaluate("document.querySelector('#world canvas').toDataURL()")
    shares = page.locator("#actions .value").all_inner_texts()
    assert len(shares) == 7
    answered(page, cell(page, 3, 5).click)
    until(
        page,
        f"JSON.stringify([...document.querySelectorAll('#actions .value')].map((v) => v.textContent)) != {shares!r}".replace(
            "'", '"'
        ),
    )
    page.click("[aria-label='take the action right']")
    until(page, "document.querySelectorAll('.strip-view').length == 2")
    assert "hidden" in page.locator(".strip-view").first.get_attribute("aria-label"), "what was hidden stays so"
    assert page.evaluate("document.querySelector('#world canvas').toDataURL()") != world
    assert page.inner_text("#view-title") == "View 1 of 1"
    page.click("#step")
    until(page, "document.querySelectorAll('.strip-view').length == 3")
    page.click("#undo")
    until(page, "document.querySelectorAll('.strip-view').length == 2")
    page.click("#play")
    until(page, "document.querySelectorAll('.strip-view').length >= 4")
    assert "Pause" in page.inner_text("#play")
    page.click("#play")
    page.wait_for_timeout(1000)  # the action under way may still be taken
    steps = page.locator(".strip-view").count()
    page.wait_for_timeout(1000)
    assert page.locator(".strip-view").count() == steps and "Play" in page.inner_text("#play")


def test_parts_of_each_new_view_are_hidden_before_it_acts(playground):
    page = playground()
    opened(page, "live")
    page.wait_for_selector("#actions .chosen")
    page.fill("#auto-hide", "90")
    page.select_option("#acts-on", "believed")
    page.click("#step")
    until(page, "document.querySelectorAll('.strip-view').length == 2")
    page.wait_for_selector("#rebuilt .right, #rebuilt .wrong")
    assert page.locator("#shown .hidden").count() > 25


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768])
def test_nothing_is_wider_than_the_screen(playground, width, scheme):
    page = playground(width=width, scheme=scheme)
    for tab in ("recorded", "played", "live"):
        opened(page, tab)
        answered(page, cell(page, 2, 3).click)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert cell(page, 2, 3).bounding_box()["width"] >= 24
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 60)")
    assert dark == (scheme == "dark")


def test_a_click_is_answered_within_the_blink_of_an_eye(playground):
    page = playground()
    times = page.evaluate(
        """async (clicks) => {
        const times = [], count = () => Number(document.body.dataset.answers || 0);
        for (let number = 0; number < clicks; number++) {
            const before = count(), start = performance.now();
            document.querySelector(`#shown [data-x="${number % 7}"][data-y="${Math.floor(number / 7)}"]`).click();
            while (count() === before) await new Promise((resolve) => setTimeout(resolve, 2));
            times.push(performance.now() - start);
        }
        return times;
    }""",
        CLICKS,
    )
    assert statistics.median(times) < MILLISECONDS
