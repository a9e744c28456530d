"""The SSIM explorer, driven in a page."""

import re

from playwright.sync_api import expect

CELL = "from inpaint_lib.widgets import SSIMExplorer\nSSIMExplorer()"


def test_distorts_and_holds_l1_while_the_distortion_changes(notebook):
    book = notebook(CELL)
    panel = book.output()
    words = panel.get_by_role("status")
    expect(words).to_contain_text("dog, blur, sigma 1.60 pixels: L1 0.0316")
    expect(panel.get_by_role("img", name=re.compile("SSIM map"))).to_be_visible()
    strength, l1 = (panel.get_by_role("slider", name=name) for name in ("strength", "L1"))
    locked = re.compile("true")
    tracks = panel.locator(".noUi-target")
    expect(tracks.nth(1)).to_have_attribute("disabled", locked)

    panel.get_by_role("button", name="shift").click()
    strength.focus()
    for _ in range(20):  # as fast as keys can be pressed
        strength.press("ArrowLeft")
    expect(words).to_contain_text("shift, 0.80 pixels: L1 0.0334")

    panel.get_by_role("checkbox", name="hold L1").check()
    expect(tracks.nth(0)).to_have_attribute("disabled", locked)
    expect(tracks.nth(1)).not_to_have_attribute("disabled", locked)
    for kind in ("brighter", "contrast", "JPEG", "blur", "noise"):
        panel.get_by_role("button", name=kind).click()
        expect(words).to_contain_text(re.compile(f"{kind}, .*: L1 0.0334, "))
    expect(panel.get_by_role("row")).to_have_count(7)
    book.screenshot("ssim_explorer")

    book.dark()
    book.screenshot("ssim_explorer_dark")
    book.assert_nothing_overflows()

    panel.get_by_role("button", name="blur").click()
    l1.press("End")
    expect(panel.get_by_role("alert")).to_contain_text("blur does not reach L1")
    panel.get_by_role("combobox").select_option("brick wall")
    expect(words).to_contain_text("brick wall, blur")
    book.screenshot("ssim_explorer_missed")
