"""The pair browser, driven in a page."""

import re

from playwright.sync_api import expect

CELL = "from inpaint_lib.widgets import PairBrowser\nPairBrowser()"


def test_shows_a_pair_at_once_and_follows_buttons_sliders_and_keys(notebook):
    book = notebook(CELL)
    panel = book.output()
    words = panel.get_by_role("status")
    expect(words).to_contain_text("recall 100.0%, precision 100.0%")
    picture = panel.get_by_role("img", name=re.compile("White is found"))
    expect(picture).to_be_visible()
    first = words.inner_text()
    book.screenshot("pair_browser")

    panel.get_by_role("button", name="Next").click()
    expect(words).not_to_have_text(first)
    panel.get_by_role("button", name="Previous").click()
    expect(words).to_have_text(first)

    threshold = panel.get_by_role("slider", name="threshold")
    threshold.focus()
    for _ in range(20):  # as fast as keys can be pressed
        threshold.press("ArrowRight")
    expect(panel.locator(".widget-readout").nth(1)).to_have_text("0.075")
    panel.get_by_role("combobox").select_option("JPEG, quality 75")
    expect(words).not_to_contain_text("precision 100.0%")
    # Words and picture follow the last key one after the other, and may do so while we look.
    for _ in range(100):
        if panel.get_by_role("img", name=words.inner_text()).count():
            break
        book.page.wait_for_timeout(100)
    expect(panel.get_by_role("img", name=words.inner_text())).to_be_visible()
    book.assert_nothing_overflows()
    book.dark()
    book.screenshot("pair_browser_dark")
