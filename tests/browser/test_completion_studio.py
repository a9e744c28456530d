"""The completion studio, driven in a page: one notebook, from the example to a saved picture.

Starting a kernel takes seconds, so that all tests share one; each brings the studio where it needs
it, and can fail alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from .conftest import Notebook

# Shown twice: all tests but one look at the second view alone.
CELLS = (
    "from inpaint_lib.widgets import CompletionStudio\nstudio = CompletionStudio()\nstudio",
    "studio",
)
PAINTED = "element => element.querySelector('.studio-tint').toDataURL()"
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


@dataclass
class Studio:
    """The parts of a studio in a page."""

    book: Notebook
    panel: Locator
    hint: Locator
    after: Locator
    surface: Locator
    upload: Locator

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Across the photograph, from and to shares of its width and height."""
        self.surface.scroll_into_view_if_needed()
        box = self.surface.bounding_box()
        mouse = self.surface.page.mouse
        (x, y), (to_x, to_y) = (
            (box["x"] + box["width"] * px, box["y"] + box["height"] * py) for px, py in (start, end)
        )
        mouse.move(x, y)
        mouse.down()
        mouse.move(to_x, to_y, steps=5)
        mouse.up()

    def open_own(self, path: Path, name: str) -> None:
        """Upload a photograph of 512 x 512 under a name that no other test has used."""
        content = {"name": name, "mimeType": "image/png", "buffer": path.read_bytes()}
        self.upload.set_input_files(content)
        expect(self.hint).to_contain_text(f"{name}, 512 x 512 px. Now paint")
        expect(self.after).to_be_hidden()

    def paint_box(self) -> None:
        """A box with sides of 64 px."""
        self.button("Box").click()
        self.drag((0.5, 0.25), (0.625, 0.375))


@pytest.fixture(scope="module")
def studio(shared_notebook: Callable[..., Notebook]) -> Studio:
    book = shared_notebook(*CELLS)
    book.heighten()
    return view(book, -1)


def view(book: Notebook, cell: int) -> Studio:
    """The studio as the output of a cell shows it."""
    panel = book.output(cell)
    return Studio(
        book,
        panel,
        hint=panel.locator(".studio-hint"),
        after=panel.get_by_role("img", name="completed by the network"),
        surface=panel.get_by_role("application"),
        upload=panel.get_by_label("Photograph to upload"),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Photographs of a reader: one to complete, and three that make trouble."""
    folder = tmp_path_factory.mktemp("photographs")
    gradient = Image.radial_gradient("L")
    own = np.stack([gradient.rotate(turn).resize((512, 512)) for turn in (0, 45, 90)], axis=-1)
    Image.fromarray(own).save(folder / "own.png")
    (folder / "corrupt.jpg").write_bytes((folder / "own.png").read_bytes()[:900])
    (folder / "large.png").write_bytes(bytes(9_000_000))
    gradient.resize((8192, 6144)).save(folder / "huge.jpg")  # 50 megapixels
    return {path.stem: path for path in folder.iterdir()}


def test_begins_with_an_example_that_is_completed(studio):
    expect(studio.hint).to_contain_text("An example, already completed")
    expect(studio.after).to_be_visible()
    expect(studio.panel.get_by_role("img", name="PSNR in the hole: sharp")).to_be_visible()
    studio.book.screenshot("completion_studio")


def test_uncovers_the_original_without_asking_the_kernel(studio):
    slider = studio.panel.get_by_role("slider", name="Before and after")
    slider.focus()
    for _ in range(20):  # as fast as keys can be pressed: they cannot queue
        slider.press("ArrowRight")
    expect(slider).to_have_value("20")
    expect(studio.after).to_have_css("clip-path", "inset(0px 0px 0px 20%)")


def test_an_upload_that_fails_says_so_and_the_photograph_stays(studio, files):
    studio.upload.set_input_files(files["large"])
    expect(studio.hint).to_contain_text("large.png is 9.0 MB; notebook servers accept about 10 MB")
    studio.upload.set_input_files(files["corrupt"])
    expect(studio.hint).to_contain_text("corrupt.jpg: cannot be read as a picture")
    dropped = studio.book.page.evaluate_handle(A_DROP)
    studio.surface.dispatch_event("drop", {"dataTransfer": dropped})
    expect(studio.hint).to_contain_text("note.txt: cannot be read as a picture")
    expect(studio.after).to_be_visible()


def test_completes_a_box_on_a_photograph_of_ones_own(studio, files):
    studio.open_own(files["own"], "own.png")
    studio.panel.evaluate(TIMER)
    studio.paint_box()
    milliseconds = studio.book.page.evaluate("window.took")
    print(f"from releasing the pointer to the network's picture: {milliseconds:.0f} ms")
    expect(studio.hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))
    expect(studio.after).to_be_visible()


def test_paints_with_keys_and_takes_back(studio, files):
    studio.open_own(files["own"], "keys.png")
    studio.paint_box()
    expect(studio.hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))
    studio.button("Brush").click()
    studio.surface.focus()
    for key in ("Enter", "ArrowLeft", "ArrowLeft", "Space"):  # a dot, and one beside it
        studio.surface.press(key)
    expect(studio.hint).to_contain_text(re.compile(r"Completed 5,\d\d\d pixels"))
    studio.surface.press("Control+z")
    studio.surface.press("Control+z")
    expect(studio.hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))
    studio.button("Clear").dblclick(force=True)
    expect(studio.hint).to_contain_text("keys.png, 512 x 512 px. Now paint")
    studio.button("Undo").click()
    expect(studio.hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))


def test_saves_once_in_the_notebooks_folder_however_often_it_is_asked(studio, files):
    studio.open_own(files["own"], "saved.png")
    studio.paint_box()
    expect(studio.hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))
    studio.button("Save as PNG").dblclick()
    expect(studio.hint).to_contain_text(re.compile("aved as .*completed.png"))
    receipt = studio.panel.get_by_role("status", name="").filter(has_text="completed.png")
    expect(receipt).to_have_count(2)  # where the eye is: at the button, too
    folder = studio.book.folder
    saved = np.asarray(Image.open(folder / "completed.png")).astype(int)
    own = np.asarray(Image.open(files["own"]))
    assert 3_000 < (saved != own).any(axis=-1).sum() < 5_000
    assert not (folder / "completed_2.png").exists()


def test_opens_50_megapixels_by_path_and_takes_a_stroke_while_it_completes_one(studio, files):
    path = studio.panel.get_by_role("textbox", name="Type its path")
    path.fill(str(files["huge"]))
    path.press("Enter")
    expect(studio.hint).to_contain_text("8192 x 6144 px. Now paint")
    studio.button("Brush").click()
    studio.drag((0.3, 0.3), (0.35, 0.3))
    studio.drag((0.3, 0.6), (0.35, 0.6))
    expect(studio.hint).to_contain_text(re.compile(r"Completed [\d,]{7,} pixels"))
    expect(studio.after).to_be_visible()


def test_two_views_agree_in_what_is_painted_undone_and_compared(studio, files):
    first = view(studio.book, 0)
    studio.open_own(files["own"], "twice.png")
    studio.paint_box()
    expect(first.hint).to_contain_text(re.compile(r"Completed 4,\d\d\d pixels"))
    first.button("Brush").click()
    first.panel.get_by_role("slider", name="Brush size").fill("40")
    studio.drag((0.2, 0.6), (0.3, 0.6))
    expect(first.hint).to_contain_text(re.compile(r"Completed [67],\d\d\d pixels"))
    assert first.panel.evaluate(PAINTED) == studio.panel.evaluate(PAINTED)

    first.panel.get_by_role("slider", name="Before and after").fill("30")
    expect(studio.after).to_have_css("clip-path", "inset(0px 0px 0px 30%)")
    first.button("Clear").click()
    expect(studio.hint).to_contain_text("twice.png, 512 x 512 px. Now paint")
    expect(studio.button("Clear")).to_be_disabled()
    for pixels in (r"[67],\d\d\d", r"4,\d\d\d"):  # by turns, each takes back what the other did
        studio.button("Undo").click()
        expect(first.hint).to_contain_text(re.compile(f"Completed {pixels} pixels"))
        first, studio = studio, first
    assert first.panel.evaluate(PAINTED) == studio.panel.evaluate(PAINTED)
    studio.button("Undo").click()
    expect(first.hint).to_contain_text("Now paint")
    for one in (first, studio):
        expect(one.button("Undo")).to_be_disabled()


def test_nothing_overflows_and_the_dark_theme_is_legible(studio):
    studio.panel.get_by_role("combobox", name="or take one of ours").select_option("a tower")
    expect(studio.hint).to_contain_text("640 x 427 px")
    studio.button("Brush").click()
    studio.panel.get_by_role("slider", name="Brush size").fill("8")
    studio.drag((0.15, 0.15), (0.5, 0.5))
    expect(studio.hint).to_contain_text("Completed")
    expect(studio.panel.get_by_role("img", name="The last hole of a tower")).to_be_visible()
    studio.book.assert_nothing_overflows()
    studio.book.dark()
    studio.book.screenshot("completion_studio_dark")
