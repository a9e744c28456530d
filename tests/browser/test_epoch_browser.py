"""The epoch browser, driven in a page."""

import re

from playwright.sync_api import expect

from inpaint_lib.paths import default_path

CELL = (
    "from inpaint_lib.widgets import EpochBrowser\n"
    f"EpochBrowser({str(default_path('notebooks', 'records', 'original'))!r})"
)


def test_shows_the_last_epoch_at_once_and_goes_back_by_keys(notebook):
    book = notebook(CELL)
    panel = book.output()
    words = panel.get_by_role("status")
    expect(words).to_contain_text("epoch 200: PSNR in the hole 21.64 dB")
    expect(panel.get_by_role("img", name=re.compile("epoch 200: PSNR"))).to_be_visible()
    book.screenshot("epoch_browser")

    epoch = panel.get_by_role("slider", name="epoch")
    epoch.focus()
    for _ in range(8):  # as fast as keys can be pressed
        epoch.press("ArrowLeft")
    expect(words).to_contain_text("epoch 1: PSNR in the hole 14.68 dB")
    expect(panel.get_by_role("img", name=re.compile("epoch 1: PSNR"))).to_be_visible()
    book.assert_nothing_overflows()
    book.dark()
    book.screenshot("epoch_browser_dark")
