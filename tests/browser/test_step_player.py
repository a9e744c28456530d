"""The step player, driven in a page."""

import re

from playwright.sync_api import expect

CELL = "from inpaint_lib.widgets import StepPlayer\nStepPlayer()"


def test_plays_steps_and_drags_the_hole_past_the_receptive_field(notebook):
    book = notebook(CELL)
    panel = book.output()
    words = panel.get_by_role("status").first
    expect(words).to_contain_text("Hole 48 px wide. The network looks 29 px wide")
    expect(words).to_contain_text("sees no known pixel, 17.4% of the hole is blind")
    picture = panel.get_by_role("img", name=re.compile("maps of channel"))
    expect(picture).to_be_visible()

    hole, channel, step = (
        panel.get_by_role("slider", name=name) for name in ("hole, px", "channel", "step")
    )
    hole.focus()
    for _ in range(20):  # as fast as keys can be pressed
        hole.press("ArrowLeft")
    expect(words).to_contain_text("Hole 28 px wide")
    expect(words).to_contain_text("sees a known pixel, 0.0% of the hole is blind")
    expect(panel.locator(".widget-readout").first).to_have_text("28")

    panel.get_by_role("button", name="Play").click()
    expect(words).to_contain_text("After step 2 it has looked 15 px wide")
    panel.get_by_role("button", name="Play").click()  # it stays pressed while it plays
    step.focus()
    step.press("End")
    expect(words).to_contain_text("After step 3 it has looked 19 px wide")
    channel.focus()
    channel.press("Home")
    expect(panel.get_by_role("img", name=re.compile("maps of channel 0,"))).to_be_visible()
    hole.focus()
    for _ in range(20):
        hole.press("ArrowRight")
    expect(words).to_contain_text("Hole 48 px wide")
    panel.get_by_role("checkbox").uncheck()
    expect(panel.get_by_role("img", name=re.compile("maps of channel 0:"))).to_be_visible()
    panel.get_by_role("checkbox").check()
    expect(panel.get_by_role("img", name=re.compile("colours stretched"))).to_be_visible()
    book.screenshot("step_player_untrained")

    panel.get_by_role("combobox").first.select_option("photographs, trained")
    expect(words).to_contain_text("looks 116 px wide")
    expect(words).to_contain_text("sees a known pixel, 0.0% of the hole is blind")
    expect(panel.get_by_role("status").last).to_contain_text("thin-plate fill")
    step.focus()
    step.press("ArrowLeft")
    expect(words).to_contain_text("After step 2 it has looked 60 px wide")
    expect(picture).to_be_visible()
    expect(panel.get_by_role("img", name="After step 2 it has looked 60 px wide")).to_be_visible()
    book.screenshot("step_player")
    book.assert_nothing_overflows()
    book.dark()
    book.screenshot("step_player_dark")
