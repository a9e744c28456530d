"""The book that `make book` builds: without a warning, and to be read by anybody."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

import inpaint_lib

from .conftest import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as a workflow of somebody's copy on GitHub would build it."""
    pytest.importorskip("sphinx_book_theme", reason="the extra `book` is not installed")
    site = tmp_path_factory.mktemp("book")
    strict = ["-m", "sphinx", "-q", "-W", "--keep-going", "-c", str(ROOT / "docs"), "-b", "html"]
    built = subprocess.run(
        [sys.executable, *strict, "-d", str(site / ".trees"), str(ROOT), str(site)],
        env=os.environ | {"GITHUB_REPOSITORY": "somebody/their-copy"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert not built.stderr
    return site


@pytest.fixture(scope="module")
def address(book: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=book)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def pages(book: Path) -> list[Path]:
    return [path for path in book.rglob("*.html") if not {"_modules", "_static"} & {*path.parts}]


def test_it_has_the_chapters_and_every_public_name(book):
    assert [path.stem for path in sorted((book / "notebooks").glob("0*.html"))] == CHAPTERS
    api = "".join(path.read_text(encoding="utf-8") for path in (book / "docs" / "api").iterdir())
    for name in inpaint_lib.__all__:
        assert f'id="inpaint_lib.{name}"' in api, name
    assert "docs/index.html" in (book / "index.html").read_text(encoding="utf-8")


def test_every_picture_has_an_alternative_text_of_its_own(book):
    found = 0
    for page in pages(book):
        pictures = re.findall(r"<img\b[^>]*>", page.read_text(encoding="utf-8"))
        texts = [re.search(r'alt="([^"]*)"', picture) for picture in pictures]
        said = [text[1] for text in texts if text]
        assert len(said) == len(pictures), page
        assert all(len(text) > 8 for text in said), page
        assert len(set(said)) == len(said), page
        found += len(said)
    assert found > 50


def test_nothing_that_is_linked_within_it_is_missing(book):
    for page in pages(book):
        for target in re.findall(r'(?:href|src)="([^"#?:]+)[#?"]', page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page, target)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=address)
    context.set_default_timeout(PATIENCE)
    # What a reader's browser would fetch from elsewhere (MathJax), it must do without here.
    context.route(lambda url: not url.startswith(address), lambda route: route.abort())
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["docs/index", "notebooks/02_components", "docs/api/network"])
def test_axe_finds_nothing_to_say(page, name, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{name}.html")
    expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


def test_words_are_found(page):
    page.goto("search.html?q=ConvLSTM")
    expect(page.locator("#search-results li").first).to_be_visible()
    assert "Components" in page.locator("#search-results").inner_text()


def test_a_chapter_can_be_started_from_its_page(page):
    page.goto("notebooks/02_components.html")
    place = "github/somebody/their-copy/blob/main/notebooks/02_components.ipynb"
    assert page.locator(f"a[href$='{place}']").count()
    assert page.locator("a[href^='https://mybinder.org/v2/gh/somebody/their-copy']").count()
