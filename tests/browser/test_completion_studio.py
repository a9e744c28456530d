"""The completion studio, driven in a page: one notebook, from the example to a saved picture."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

CELL = "from inpaint_lib.widgets import CompletionStudio\nCompletionStudio()"
A_DROP = """() => {
  const dropped = new DataTransfer();
  dropped.items.add(new File(["no picture"], "note.txt"));
  return dropped;
}"""
TIMER = """panel => {
  const after = panel.querySelector('img[alt*="completed by"]');
  window.took = new Promise((done) => panel.addEventListener("pointerup", () => {
    const released = performance.now();
    after.addEventListener("load", () => done(performance.now() - released), { once: true });
  }, { once: true, capture: true }));
}"""  # from releasing the brush to the network's picture, in milliseconds


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Photographs of a reader: one to complete, and three that make trouble."""
    gradient = Image.radial_gradient("L")
    own = np.stack([gradient.rotate(turn).resize((512, 512)) for turn in (0, 45, 90)], axis=-1)
    Image.fromarray(own).save(tmp_path / "own.png")
    (tmp_path / "corrupt.jpg").write_bytes((tmp_path / "own.png").read_bytes()[:900])
    (tmp_path / "large.png").write_bytes(bytes(9_000_000))
    gradient.resize((8192, 6144)).save(tmp_path / "huge.jpg")  # 50 megapixels
    return {path.stem: path for path in tmp_path.iterdir()}


def drag(surface: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Across the photograph, from and to shares of its width and height."""
    surface.scroll_into_view_if_needed()
    box, mouse = surface.bounding_box(), surface.page.mouse
    (x, y), (to_x, to_y) = (
        (box["x"] + box["width"] * px, box["y"] + box["height"] * py) for px, py in (start, end)
    )
    mouse.move(x, y)
    mouse.down()
    mouse.move(to_x, to_y, steps=5)
    mouse.up()


def test_completes_a_photograph_of_ones_own(notebook, files):
    book = notebook(CELL)
    panel = book.output()
    hint = panel.locator(".studio-hint")
    after = panel.get_by_role("img", name="completed by the network")
    surface = panel.get_by_role("application")
    upload = panel.get_by_label("Photograph to upload")

    # The example, before anything is touched.
    book.page.set_viewport_size({"width": 1280, "height": 1150})  # all of it on the pictures
    expect(hint).to_contain_text("An example, already completed")
    expect(after).to_be_visible()
    expect(panel.get_by_role("img", name="PSNR in the hole: network")).to_be_visible()
    book.screenshot("completion_studio")

    # Before and after: the page does it alone, so twenty fast moves cannot queue.
    slider = panel.get_by_role("slider", name="Before and after")
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    expect(slider).to_have_value("20")
    expect(after).to_have_css("clip-path", "inset(0px 0px 0px 20%)")

    # Uploads that fail say so, and the photograph stays.
    upload.set_input_files(files["large"])
    expect(hint).to_contain_text("large.png is 9.0 MB; notebook servers accept about 10 MB")
    upload.set_input_files(files["corrupt"])
    expect(hint).to_contain_text("corrupt.jpg: cannot be read as a picture")
    surface.dispatch_event("drop", {"dataTransfer": book.page.evaluate_handle(A_DROP)})
    expect(hint).to_contain_text("note.txt: cannot be read as a picture")
    expect(after).to_be_visible()

    # A photograph of one's own: a box with sides of 64 px.
    upload.set_input_files(files["own"])
    expect(hint).to_contain_text("own.png, 512 x 512 px. Now paint")
    expect(after).to_be_hidden()
    panel.get_by_role("button", name="Box").click()
    panel.evaluate(TIMER)
    drag(surface, (0.5, 0.25), (0.625, 0.375))
    milliseconds = book.page.evaluate("window.took")
    print(f"from releasing the pointer to the network's picture: {milliseconds:.0f} ms")
    expect(hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))
    expect(after).to_be_visible()

    # By keyboard: a dot of the brush and one beside it; undo, and undo what cleared all.
    panel.get_by_role("button", name="Brush").click()
    surface.focus()
    for key in ("Enter", "ArrowLeft", "ArrowLeft", "Space"):
        surface.press(key)
    expect(hint).to_contain_text(re.compile(r"Completed 5,\d\d\d pixels"))
    surface.press("Control+z")
    surface.press("Control+z")
    expect(hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))
    panel.get_by_role("button", name="Clear").dblclick(force=True)
    expect(hint).to_contain_text("own.png, 512 x 512 px. Now paint")
    panel.get_by_role("button", name="Undo").click()
    expect(hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))

    # Saved once, in the notebook's folder, however often the button is pressed.
    panel.get_by_role("button", name="Save as PNG").dblclick()
    expect(hint).to_contain_text(re.compile("aved as .*completed.png"))
    receipt = panel.get_by_role("status", name="").filter(has_text="completed.png")
    expect(receipt).to_have_count(2)  # where the eye is: at the button, too
    saved = np.asarray(Image.open(book.folder / "completed.png")).astype(int)
    own = np.asarray(Image.open(files["own"]))
    assert 3_000 < (saved != own).any(axis=-1).sum() < 5_000
    assert not (book.folder / "completed_2.png").exists()

    # 50 megapixels by path: a stroke over it, and again while it is being completed.
    path = panel.get_by_role("textbox", name="Type its path")
    path.fill(str(files["huge"]))
    path.press("Enter")
    expect(hint).to_contain_text("8192 x 6144 px. Now paint")
    drag(surface, (0.3, 0.3), (0.35, 0.3))
    drag(surface, (0.3, 0.6), (0.35, 0.6))
    expect(hint).to_contain_text(re.compile(r"Completed [\d,]{7,} pixels"))
    expect(after).to_be_visible()

    # A shipped one; nothing overflows, and the dark theme is legible.
    panel.get_by_role("combobox", name="or take one of ours").select_option("a tower")
    expect(hint).to_contain_text("640 x 427 px")
    panel.get_by_role("button", name="Brush").click()
    panel.get_by_role("slider", name="Brush size").fill("8")
    drag(surface, (0.15, 0.15), (0.5, 0.5))
    expect(hint).to_contain_text("Completed")
    book.assert_nothing_overflows()
    book.dark()
    expect(book.page.locator("#jupyterlab-splash")).to_have_count(0)  # a new theme brings it back
    book.screenshot("completion_studio_dark")
