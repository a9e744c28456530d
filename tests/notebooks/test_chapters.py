"""The chapters as files: executed, in order, clean, linked, and their exercises solvable.

That their outputs are what the code prints is tested by nbval; see `make test`.
"""

import contextlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbval.plugin import get_sanitize_patterns

from inpaint_lib.figures import Figure

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
CHAPTERS = sorted(FOLDER.glob("*.ipynb"))
# Cells whose text depends on time or hardware, each with its reason; keep it short. Besides, the
# first cell of each says what computes here.
NOT_COMPARED: dict[str, dict[str, str]] = {
    "05_gpu_training": {
        "have-code": "says which accelerator this machine has",
        "forecast-code": "says how long the full run would take on this machine",
    },
}

each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


@each_chapter
def test_is_a_valid_notebook_with_nothing_but_a_kernel_in_its_metadata(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert path.stat().st_size < 1.5e6
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id


@each_chapter
def test_is_committed_executed_in_order_without_an_error(path):
    cells = [cell for cell in code_cells(path) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", cell.id


@each_chapter
def test_only_the_listed_cells_are_not_compared(path):
    skipped = {cell.id for cell in code_cells(path) if "nbval-ignore-output" in tags(cell)}
    assert skipped == {"start"} | NOT_COMPARED.get(path.stem, {}).keys()


@each_chapter
def test_every_figure_of_the_page_has_a_text_of_its_own(path):
    page, _ = HTMLExporter(template_name="lab").from_filename(str(path))
    found = Images()
    found.feed(page)
    assert len(found.texts) >= 3
    for text in found.texts:
        assert text is not None
        assert len(text) > 20, text
        assert "No description" not in text  # what the page says of a picture without one
    assert len(set(found.texts)) == len(found.texts)


class Images(HTMLParser):
    """The alternative texts of a page's images, in order; None where one has none."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.texts.append(dict(attrs).get("alt"))


@each_chapter
def test_figures_are_images_of_html_and_no_widget_is_kept(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            if set(output.get("data", ())) - {"text/plain"}:
                assert set(output.data) == {"text/html", "text/plain"}, cell.id
                assert output.data["text/html"].startswith('<img alt="'), cell.id


def test_nbval_compares_the_words_of_figures_and_not_their_pixels():
    rules = get_sanitize_patterns((Path(__file__).parent / "sanitize.cfg").read_text())

    def compared(alt: str, dots: int) -> str:
        figure = Figure(alt, figsize=(1, 1))
        figure.subplots().plot(range(dots))
        html = figure._repr_mimebundle_()["text/html"]
        for regex, replacement in rules:
            html = re.sub(regex, replacement, html)
        return html

    assert compared("a line", 2) == compared("a line", 3)
    assert compared("a line", 2) != compared("a curve", 2)
    assert len(compared("a line", 2)) < 150


@each_chapter
def test_cells_are_short_and_links_lead_somewhere(path):
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 24, cell.id
            continue
        for target in re.findall(r"\]\(([^)#]+)", cell.source):
            if "://" not in target:
                assert (path.parent / target).exists(), (cell.id, target)


@each_chapter
def test_nothing_of_the_machine_it_ran_on_is_left_in_it(path):
    text = path.read_text(encoding="utf-8")
    for trace in ("ipykernel_", "site-packages"):  # of warnings; paths: test_project.py
        assert trace not in text


def run(code: str, names: dict) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "cell", "exec"), names)
    return printed.getvalue().strip()


def exercises(path: Path) -> list[tuple[str, str, str]]:
    """(stub, check, answer) of each exercise, in order."""
    notebook = read(path)
    stubs = [cell.source for cell in notebook.cells if "exercise" in tags(cell)]
    checks = [cell.source for cell in notebook.cells if "check" in tags(cell)]
    folded = [c.source for c in notebook.cells if c.source.lstrip().startswith("<details>")]
    answers = [re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1) for text in folded]  # type: ignore[union-attr]
    return list(zip(stubs, checks, answers, strict=True))


@each_chapter
def test_stubs_are_told_what_is_missing_and_worked_answers_pass_the_same_checks(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    [setup] = [cell.source for cell in code_cells(path) if "setup" in tags(cell)]
    names: dict = {"__name__": "__main__"}
    run(setup, names)
    found = exercises(path)
    assert len(found) >= 3
    for stub, check, answer in found:
        here = dict(names)
        run(stub, here)
        assert run(check, here).startswith("Not yet:"), stub
        here = dict(names)
        run(answer, here)
        assert run(check, here).startswith("Right:"), answer
