"""JupyterLab on loopback and a headless Chromium, for tests that drive widgets as a person would.

Without a Chromium these tests are skipped; with REQUIRE_BROWSER=1 its absence is a failure.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

SCREENSHOTS = Path(__file__).resolve().parent.parent.parent / "docs" / "widgets"
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
TOKEN = "loopback"
CONNECTED = (
    "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
)
THEME = "settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
WIDTH = 1280  # of the window, in pixels
PATIENCE = 120_000  # milliseconds; other tests keep the processor busy
expect.set_options(timeout=PATIENCE)


def ask(address: str, what: str, method: str = "GET") -> Any:
    """The answer of the server's REST interface."""
    head = {"Authorization": f"token {TOKEN}"}
    request = urllib.request.Request(f"{address}/api/{what}", method=method, headers=head)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, folder) of a JupyterLab of its own, which touches nobody's settings."""
    root = tmp_path_factory.mktemp("lab")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_DATA_DIR": str(root / "data"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "IPYTHONDIR": str(root / "ipython"),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
        f"--LabApp.workspaces_dir={root / 'workspaces'}",
        f"--LabApp.user_settings_dir={root / 'settings'}",
    ]
    quiet = root / "settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)  # else a question about news lies over the page
    news = {"fetchNews": "false", "checkForUpdates": False}
    (quiet / "notification.jupyterlab-settings").write_text(json.dumps(news))
    log = (root / "server.log").open("w")
    server = subprocess.Popen(command, cwd=root, env=os.environ | own, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            ask(address, "status")
            break
        except OSError:
            assert server.poll() is None, (root / "server.log").read_text()
            time.sleep(0.5)
    yield address, root
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("REQUIRE_BROWSER is set, and there is no Chromium")
        pytest.skip("no Chromium found: install one (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=QUIET.split())


class Notebook:
    """An open notebook: `page` to drive, `run()` to run all its cells."""

    def __init__(self, page: Page, address: str, folder: Path):
        self.page = page
        self.address = address
        self.folder = folder

    def visit(self, name: str) -> None:
        """Open a notebook of `folder`, as it is."""
        self.page.goto(f"{self.address}/lab/tree/{name}?reset&token={TOKEN}")
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()

    def open(self, name: str) -> None:
        """Open, run all cells, and wait until the last has run."""
        self.visit(name)
        self.run()

    def run(self) -> None:
        """Run All Cells, once the kernel is there to hear it."""
        self.page.wait_for_function(CONNECTED)
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name=re.compile("^Run All Cells")).first.click()
        # All prompts carry a number when the last cell has run.
        cells = self.page.locator(".jp-CodeCell .jp-InputPrompt")
        for i in range(cells.count()):
            expect(cells.nth(i)).to_have_text(re.compile(r"\[\d+\]"))

    def output(self, cell: int = -1) -> Locator:
        """The output area of a code cell: where its widget is."""
        area = self.page.locator(".jp-CodeCell .jp-OutputArea-child .jp-OutputArea-output")
        return area.last if cell == -1 else area.nth(cell)

    def dark(self) -> None:
        """Change to the dark theme, as a reader may at any time."""
        theme = "{theme: 'JupyterLab Dark'}"
        self.page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {theme})")
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
        # A new theme brings the splash back, which lies over the page.
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)

    def heighten(self) -> None:
        """Make the window so high that all of the largest widget is on its picture."""
        self.page.set_viewport_size({"width": WIDTH, "height": 1230})

    def assert_nothing_overflows(self) -> None:
        """The last output ends within the window, and all of it is seen without scrolling."""
        panel = self.output()
        box = panel.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= WIDTH
        assert panel.evaluate("e => e.scrollWidth <= e.clientWidth + 1")

    def screenshot(self, name: str) -> None:
        """Keep a picture of the last output in docs/widgets, when KEEP_SCREENSHOTS is set."""
        folder = SCREENSHOTS if os.environ.get("KEEP_SCREENSHOTS") else self.folder
        folder.mkdir(exist_ok=True)
        self.output().screenshot(path=folder / f"{name}.png")


@contextmanager
def page_for_notebooks(
    lab: tuple[str, Path], browser: Browser
) -> Iterator[Callable[..., Notebook]]:
    """A page of 1280 x 900; called with cells, it opens a notebook of these and runs it.

    At the end no error may have been thrown in the page.
    """
    address, root = lab
    context = browser.new_context(viewport={"width": WIDTH, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def opened(*cells: str) -> Notebook:
        name = f"{os.urandom(4).hex()}.ipynb"
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(made, root / name)
        book = Notebook(page, address, root)
        book.open(name)
        return book

    yield opened
    context.close()
    (root / THEME).unlink(missing_ok=True)  # the next test starts in the light one again
    for session in ask(address, "sessions"):  # a kernel left running slows down what comes next
        ask(address, f"sessions/{session['id']}", "DELETE")
    assert not errors, errors


@pytest.fixture
def notebook(lab: tuple[str, Path], browser: Browser) -> Iterator[Callable[..., Notebook]]:
    """`notebook(cell, cell, ...)`: open a notebook of these cells and run it."""
    with page_for_notebooks(lab, browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_notebook(lab: tuple[str, Path], browser: Browser) -> Iterator[Callable[..., Notebook]]:
    """As `notebook`, for a notebook that all tests of a file go on with, in their order."""
    with page_for_notebooks(lab, browser) as opened:
        yield opened
