"""The book: `make book`. The chapters as they are committed, executed by nobody here.

Pages come from the whole repository, so that their links to each other lead where they lead on
GitHub; what is not in `include_patterns` is no page.
"""

import os
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# On GitHub the workflow says whose repository it is; else there are no launch buttons.
REPOSITORY = os.environ.get("GITHUB_REPOSITORY", "")

project = "Image completion"
author = "the inpaint_lib authors"
copyright = f"2026, {author}"
version = release = PROJECT["version"]
html_title = "Image completion, from the first layer to your own photograph"
language = "en"

root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/api/*.md",
    "notebooks/*.ipynb",
    "notebooks/records/*/README.md",
    "dataset/README.md",
    "checkpoints/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
]
exclude_patterns = [".*", "build", "tests", "inpaint_lib", "dataset/[!R]*", "checkpoints/runs"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "markup",  # beside this file
]

nb_execution_mode = "off"
highlight_language = "none"  # of blocks that name none
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
myst_heading_slug_func = "markup.as_in_jupyter"
myst_links_external_new_tab = False
myst_all_links_external = False

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # PyTorch's
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}

html_theme = "sphinx_book_theme"
html_extra_path = ["root"]
templates_path = ["templates"]
html_sidebars = {"**": ["home.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_static_path: list[str] = []
html_theme_options = {
    "navbar_persistent": [],  # one search field is enough
    "path_to_docs": "",
    "repository_url": f"https://github.com/{REPOSITORY}" if REPOSITORY else "",
    "repository_branch": "main",
    "use_repository_button": bool(REPOSITORY),
    "use_issues_button": bool(REPOSITORY),
    "use_download_button": False,
    "launch_buttons": {
        "notebook_interface": "jupyterlab",
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
    }
    if REPOSITORY
    else {},
}
