"""The notebook runs from its first cell to its last, and shows what it says."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).resolve().parents[2] / "examples/tour.ipynb"


def test_the_tour_runs(tmp_path):
    book = nbformat.read(TOUR, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells), "outputs are not kept: they drift"
    NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.data for cell in book.cells for output in cell.get("outputs", ()) if "data" in output]
    figures = next(data["text/plain"] for data in shown if "'rtl'" in data["text/plain"])
    assert eval(figures)["rtl"] == eval(figures)["integers"] > 0.9
    assert sum("<table>" in data.get("text/html", "") for data in shown) == 2
    assert any("tang-primer-20k" in data["text/plain"] for data in shown)
