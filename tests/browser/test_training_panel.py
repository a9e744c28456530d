"""The training panel, driven in a page: a run is started, paused, killed and gone on with."""

import os
import re
import signal

import pytest
from playwright.sync_api import Locator, expect

DATA = """
import os
import shutil
import torch
from pathlib import Path
from inpaint_lib.paths import default_path
from inpaint_lib.photographs import ensure_prepared
from inpaint_lib.training import TrainConfig
from inpaint_lib.widgets import TrainingPanel

torch.set_num_threads(1)
ensure_prepared()
wall, here = default_path("dataset", "bricks", "val"), Path(FOLDER)
for kind in ("original_images", "occluded_images", "masks"):
    if not (here / kind).exists():
        (here / kind).mkdir(parents=True)
        for path in sorted((wall / kind).glob("*.png"))[::12]:
            shutil.copy(path, here / kind)
options = dict(hidden_channels=8, num_layers=1, patch_size=4, prefill="push-pull", norm="group")
pictures = here / "occluded_images", here / "original_images"
validation = dict(val_occluded_dir=pictures[0], val_original_dir=pictures[1], in_memory=True)
config = TrainConfig(*pictures, here / "run", device="cpu", **options, **validation)
print("kernel", os.getpid())
"""
PANEL = "config.epochs, config.batch_size = 2000, 2\nTrainingPanel(config)"


def button(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=name)


def enabled(panel: Locator, *names: str) -> None:
    """Of the four buttons these can be pressed, and no other."""
    for name in ("Start", "Pause", "Resume", "Stop"):
        look = expect(button(panel, name))
        look.to_be_enabled() if name in names else look.to_be_disabled()


def step(panel: Locator) -> int:
    words = panel.get_by_role("status").last.inner_text()
    return int(re.search(r"step ([\d,]+)", words)[1].replace(",", ""))


@pytest.fixture
def cells(lab):
    folder = lab[1] / "wall"
    return [f"FOLDER = {str(folder)!r}" + DATA, "6 * 7", PANEL]


def test_a_run_is_driven_killed_and_resumed(notebook, cells):
    book = notebook(*cells)
    book.heighten()
    page, panel = book.page, book.output()
    status = panel.get_by_role("status").last
    expect(status).to_contain_text("Nothing is kept")
    expect(panel.get_by_role("img", name=re.compile("push-pull fill"))).to_be_visible()
    enabled(panel, "Start")

    # The forecast follows a slider, and ends on its last value.
    forecast = panel.get_by_role("status").first
    row = panel.locator(".widget-hslider", has_text="layers")
    layers = panel.get_by_role("slider", name="layers")
    layers.focus()
    before = forecast.inner_text()
    for _ in range(10):
        layers.press("ArrowRight")
        layers.press("ArrowLeft")
    layers.press("ArrowRight")
    expect(forecast).not_to_have_text(before)
    expect(row.locator(".widget-readout")).to_have_text("2")
    expect(forecast).to_contain_text("8,000 steps; about")

    button(panel, "Start").dblclick()
    enabled(panel, "Pause", "Stop")
    expect(status).to_contain_text(re.compile(r"Training, step [\d,]+ of 8,000: loss"))
    expect(panel.get_by_label("norm")).to_be_disabled()
    expect(panel.get_by_role("img", name=re.compile("Loss over|Curves up"))).to_be_visible()

    # Another cell runs while it trains.
    page.locator(".jp-CodeCell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" + 100")
    page.keyboard.press("Control+Enter")
    expect(book.output(1)).to_have_text("142")
    expect(status).to_contain_text("Training")

    button(panel, "Pause").click()
    enabled(panel, "Resume", "Stop")
    expect(status).to_contain_text("Paused")
    page.wait_for_timeout(500)
    at = step(panel)
    button(panel, "Resume").click()
    enabled(panel, "Pause", "Stop")
    expect(panel.get_by_role("img", name=re.compile("Curves up to epoch"))).to_be_visible()
    expect(status).not_to_contain_text(f"step {at:,} of")
    assert step(panel) > at
    book.screenshot("training_panel")

    # The page is closed and opened again; the cell is run again: it finds its run.
    page.goto(page.url.split("?")[0])
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    book.run()
    panel = book.output()
    status = panel.get_by_role("status").last
    expect(status).to_contain_text("Training")
    enabled(panel, "Pause", "Stop")

    # The kernel is killed in the middle of it.
    os.kill(int(book.output(0).inner_text().split()[-1]), signal.SIGKILL)
    page.get_by_role("button", name="Ok").click()  # it "appears to have died", and is restarted
    page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    expect(page.locator(".jp-OutputArea-output")).to_have_count(0)
    book.run()
    panel = book.output()
    status = panel.get_by_role("status").last
    expect(status).to_contain_text(re.compile(r"Stopped: epoch \d+ of 2000 is kept"))
    kept = int(re.search(r"epoch (\d+)", status.inner_text())[1])
    enabled(panel, "Start", "Resume")
    expect(panel.get_by_role("img", name=re.compile(f"epoch {kept}: PSNR"))).to_be_visible()
    button(panel, "Resume").click()
    expect(status).to_contain_text("Training, step")
    assert step(panel) >= 4 * kept
    button(panel, "Stop").click()
    enabled(panel, "Start", "Resume")
    expect(status).to_contain_text("Resume goes on from there; Start replaces it.")


def test_an_error_is_told_in_words_and_nothing_overflows(notebook, cells):
    settings = "config.lr, config.prefill, config.save_dir = 1e30, None, here / 'wild'"
    cells[2] = f"{settings}\nTrainingPanel(config)"
    book = notebook(*cells)
    book.heighten()
    panel = book.output()
    button(panel, "Start").click()
    expect(panel.get_by_role("alert")).to_contain_text("try a lower lr")
    enabled(panel, "Start")
    book.assert_nothing_overflows()
    book.dark()
    book.screenshot("training_panel_dark")
