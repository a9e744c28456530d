"""What the book does to the project's own ways of writing, which are made for other places."""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx


def as_in_jupyter(title: str) -> str:
    """The anchor of a heading, as chapters link to it: "The loop" is #The-loop."""
    return title.strip().replace(" ", "-")


def as_markup(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText: `this` is code, "name: what it is" an item of a list."""
    made: list[str] = []
    for line in lines:
        item = re.match(r"([a-z]\w*(?:, [a-z]\w*)*): +(?=\S)", line)
        within = bool(made) and made[-1].startswith(("* ", "  "))
        if item:
            made += ["", f"* `{item[1]}`: {line[item.end() :]}"]
        elif within and line.strip():
            made.append(f"  {line.strip()}")
        else:
            made.append(line)
    text = re.split(r"(`+[^`]+`+)", "\n".join(made))
    for i, part in enumerate(text):
        if i % 2:
            text[i] = f"``{part.strip('`')}``"
        else:
            escaped = re.sub(r"(?<!^)([*|]|(?<=\w)_(?=\W|$))", r"\\\1", part)
            text[i] = re.sub(r"(?m)^\\\* ", "* ", escaped)
    return "".join(text).split("\n")


def change_docstring(app, what, name, obj, options, lines) -> None:  # type: ignore[no-untyped-def]
    lines[:] = as_markup(lines)


def leave_folders(app: Sphinx, doctree: nodes.document) -> None:
    """A link to a folder, which is no page, leads to the repository, if it is known which."""
    page = Path(app.srcdir, app.env.docname)
    for link in list(doctree.findall(addnodes.pending_xref)):
        folder = (page.parent / link["reftarget"]).resolve()
        if link.get("reftype") != "myst" or not folder.is_dir():
            continue
        address = app.config.html_theme_options["repository_url"]
        within = folder.relative_to(Path(app.srcdir).resolve()).as_posix()
        text = link.astext()
        where = f"{address}/tree/main/{within}"
        link.replace_self(nodes.reference("", text, refuri=where) if address else nodes.Text(text))


def name_empty_headers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """The empty corner of a table gets a name for who hears it read."""
    for head in doctree.findall(nodes.thead):
        for entry in head.findall(nodes.entry):
            if not entry.astext().strip():
                said = nodes.raw("", '<span class="visually-hidden">row</span>', format="html")
                entry.children = []
                entry += nodes.paragraph("", "", said)


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", change_docstring, priority=100)  # before napoleon
    app.connect("doctree-read", leave_folders)
    app.connect("doctree-resolved", name_empty_headers)
    return {"parallel_read_safe": True}
