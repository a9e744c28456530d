"""What assistive technology is told of figures and widgets in JupyterLab."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from inpaint_lib.paths import default_path

from .conftest import Notebook

FIGURE = """
from inpaint_lib.figures import learning_curve
learning_curve([{"epoch": 1, "total loss": 0.5}, {"epoch": 2, "total loss": 0.4}])
"""
CHAPTER = Path(__file__).resolve().parent.parent.parent / "notebooks" / "02_components.ipynb"
WIDGETS = (
    "PairBrowser",
    "StepPlayer",
    "SSIMExplorer",
    "TrainingPanel",
    "EpochBrowser",
    "CompletionStudio",
)
GIVEN = {"EpochBrowser": repr(str(default_path("notebooks", "records", "original")))}


@pytest.fixture(scope="module")
def book(shared_notebook: Callable[..., Notebook]) -> Notebook:
    """A notebook with a figure, and then all widgets."""
    widgets = [
        f"from inpaint_lib.widgets import {widget}\n{widget}({GIVEN.get(widget, '')})"
        for widget in WIDGETS
    ]
    return shared_notebook(FIGURE, *widgets)


def shown(book: Notebook, widget: str) -> Locator:
    """The output of a widget's cell, on the page and drawn."""
    output = book.output(1 + WIDGETS.index(widget))
    output.scroll_into_view_if_needed()
    output.get_by_role("img").first.wait_for()
    return output


def problems(output: Locator) -> list[str]:
    """A line for each element that breaks a rule of axe-core: rule, impact, element, why."""
    output.evaluate("element => { element.id = 'looked-at' }")
    found = Axe().run(output.page, context="#looked-at").response
    output.evaluate("element => element.removeAttribute('id')")
    assert found["passes"]  # it has looked at something
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:150]}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def test_a_figure_has_its_text(book):
    picture = book.output(0).get_by_role("img", name="Training and validation loss")
    expect(picture).to_be_visible()


def test_a_slider_has_a_name_and_a_value_in_words(book):
    threshold = shown(book, "PairBrowser").get_by_role("slider", name="threshold")
    expect(threshold).to_have_attribute("aria-valuetext", "0.030")
    threshold.press("ArrowRight")
    expect(threshold).to_have_attribute("aria-valuetext", "0.031")


@pytest.mark.parametrize("widget", WIDGETS)
def test_axe_finds_nothing_in_the_light_theme(book, widget):
    assert problems(shown(book, widget)) == []


@pytest.mark.parametrize("widget", WIDGETS)
def test_axe_finds_nothing_in_the_dark_theme(book, widget):
    book.dark()
    assert problems(shown(book, widget)) == []


def test_a_chapter_that_was_opened_and_not_run_shows_its_figures_with_their_texts(book):
    shutil.copy(CHAPTER, book.folder)
    book.visit(CHAPTER.name)
    for words in ("Diagram of the network", "Two bar charts", "maps of channel"):
        picture = book.page.get_by_role("img", name=words)
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 1_000
