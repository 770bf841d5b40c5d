"""A page holds everything, runs only its own scripts, and no data can become one."""

import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest

from anyorder.pages.page import Page, asset

EVIL = "</script><script>document.title = 'taken'</script>"


def test_a_script_is_allowed_by_its_hash_alone():
    html = Page("title", "<p>body</p>", scripts=["let one = 1;", "let two = 2;"]).html()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    assert len(scripts) == 2 and f"script-src {' '.join(hashes)};" in policy
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy


def test_data_come_back_as_they_were():
    value = {"text": EVIL, "numbers": [1, 2.5, None], "name": "zu kühl"}
    html = Page("title", "", data={"some": value}).html()
    block = re.search(r'<script type="application/json" id="data-some">(.*?)</script>', html, flags=re.DOTALL)[1]
    assert "<" not in block and json.loads(block) == value


def test_no_number_that_json_does_not_know():
    with pytest.raises(ValueError, match="JSON"):
        Page("title", "", data={"loss": float("nan")}).html()


def test_a_title_is_text():
    assert "<title>a &lt;b&gt; &amp; c</title>" in Page("a <b> & c", "").html()


def test_nothing_shared_asks_for_anything_else():
    for name in ("style.css", "theme.js", "grid.js"):
        assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", asset(name)), name


@pytest.mark.browser
def test_a_browser_shows_data_as_text_and_keeps_the_chosen_colors(open_page, tmp_path):
    show = "document.querySelector('p').textContent = anyorder.data('some').text;"
    body = "<button data-theme-toggle></button><p></p>"
    scripts = [asset("theme.js"), asset("grid.js"), show]
    file = tmp_path / "page.html"
    file.write_text(Page("mine", body, [asset("style.css")], scripts, {"some": {"text": EVIL}}).html())
    page = open_page(f"file://{file}", scheme="light")
    assert page.title() == "mine" and page.locator("p").text_content() == EVIL
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="switch to dark colors").click()
    dark = page.evaluate(ground)
    page.reload()
    assert light != dark == page.evaluate(ground)
