"""The pair browser: what it computes, and what its knobs do."""

import numpy as np
import pytest
from nbformat import v4

from inpaint_lib.photographs.evaluation import HeldOut
from inpaint_lib.widgets import PairBrowser
from inpaint_lib.widgets.pair_browser import found_mask
from stills import KeepStills


def pair(name: str, value: int | np.ndarray) -> HeldOut:
    original = np.zeros((32, 32, 3), dtype=np.uint8)
    original[:] = value
    hole = np.zeros((32, 32), dtype=bool)
    hole[8:16, 8:24] = True
    return HeldOut(name, f"{name}.jpg", "medium", original, hole)


@pytest.fixture
def browser() -> PairBrowser:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    return PairBrowser([pair("bright", 200), pair("black", 0), pair("noise", noise)])


def test_half_of_the_hole_is_found_where_half_of_it_is_dark():
    half = pair("half", 0)
    half.original[:, 16:] = 3  # a sum of 9 of 255, and the threshold is 7.65
    found = found_mask(half, 0.03)
    assert (found.recall, found.precision) == (0.5, 1.0)
    assert np.isnan(found_mask(pair("black", 0), 0.03).precision)


def test_jpeg_finds_too_much_and_a_higher_threshold_less():
    noise = pair("noise", np.random.default_rng(0).integers(0, 256, (32, 32, 3)))
    low, high = (found_mask(noise, threshold, quality=75) for threshold in (0.03, 0.6))
    assert low.precision < high.precision
    assert low.recall > high.recall


def test_buttons_step_around_and_the_words_follow(browser):
    assert "bright.jpg, medium: recall 100.0%, precision 100.0%" in browser.numbers.value
    browser.next.click()
    assert "black.jpg, medium: recall 0.0%, precision undefined" in browser.numbers.value
    browser.previous.click()
    browser.previous.click()
    assert browser.index.value == 2
    assert "noise.jpg" in browser.numbers.value


def test_knobs_change_the_picture(browser):
    pictures = [browser.picture.value]
    browser.index.value = 2
    pictures.append(browser.picture.value)
    browser.threshold.value = 1.0
    pictures.append(browser.picture.value)
    browser.saved_as.value = 75
    pictures.append(browser.picture.value)
    assert len(set(pictures)) == 4
    assert "noise.jpg" in browser.picture.figure.alt


def test_a_page_without_a_kernel_has_the_picture_and_its_text(browser):
    data = browser._repr_mimebundle_()
    assert set(data) >= {"text/html", "application/vnd.jupyter.widget-view+json"}
    assert data["text/html"].startswith(f'<img alt="{browser.picture.figure.alt}"')
    text = data["text/plain"]
    browser.next.click()
    assert text == browser._repr_mimebundle_()["text/plain"] != ""


def test_what_a_saved_chapter_keeps_of_a_widget_is_its_picture(browser):
    data = browser._repr_mimebundle_()
    cell = v4.new_code_cell(outputs=[v4.new_output("display_data", data)])
    text = v4.new_markdown_cell("As it was.")
    kept, _ = KeepStills().preprocess(v4.new_notebook(cells=[cell, text]), {})
    assert set(kept.cells[0].outputs[0].data) == {"text/html", "text/plain"}
    assert kept.cells[1] == text
