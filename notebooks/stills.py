"""For `make notebooks`: what a saved chapter keeps of a widget is its picture."""

from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

VIEW = "application/vnd.jupyter.widget-view+json"


class KeepStills(Preprocessor):
    """Drops widget views from outputs: without their kernel they show an error."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(VIEW, None)
        return cell, resources
