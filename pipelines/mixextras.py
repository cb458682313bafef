"""What belongs to no unit of a mix: the dataset's own small files and the contact sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from pipelines import commits, provenance
from pipelines.commits import FileRecord
from pipelines.events import Event, Note
from pipelines.flow import cores
from pipelines.provenance import Row
from stylize import images
from stylize.datasets.base import EXTRA_SUFFIXES
from stylize.datasets.tree import RUN_FILES, is_visible
from stylize.errors import BadInput
from stylize.packed import inner
from stylize.sheet import Cell, contact_sheet, evenly, fit_row
from stylize.storage import Storage

SHEET = "sheet.png"
SHEET_ROWS = 8
MAX_EXTRA = 16 << 20  # bytes; a larger file in a dataset's root is data and not its description


def copy_extras(dataset: Storage, out: Storage, on_event: Callable[[Event], None]) -> list[FileRecord]:
    """Copy the files that describe the dataset, such as classes.json, and return their records."""
    records = []
    for path in dataset.list(recursive=False):
        if not path.endswith(EXTRA_SUFFIXES) or path in RUN_FILES or not is_visible(path):
            continue
        if dataset.size(path) > MAX_EXTRA:
            on_event(Note(text=f"{path} is larger than {MAX_EXTRA >> 20} MB and was not copied"))
        else:
            records.append(commits.publish(out, path, dataset.read(path)))
    return records


def write_sheet(out: Storage, contents: Storage, exemplars: Storage) -> list[FileRecord]:
    """Write the contact sheet, pictures from all over the run; return its record, or none when nothing was made.

    `contents` and `exemplars` are the datasets; a picture that is no longer to be had there leaves its row out.
    """
    with ThreadPoolExecutor(cores(), "sheet") as pool:
        found = pool.map(lambda row: _cells(row, out, contents, exemplars), _chosen(out))
        rows = [cells for cells in found if cells]
    if not rows:
        return []
    sheet_HWC = contact_sheet(("Content", "Exemplar", "Result"), rows)
    return [commits.publish(out, SHEET, images.encode(sheet_HWC, "png"))]


def _chosen(out: Storage) -> Iterator[Row]:
    """Yield up to `SHEET_ROWS` rows of provenance, spread over the units."""
    paths = out.list("provenance")
    shown = evenly(len(paths), SHEET_ROWS)
    for place, index in enumerate(shown):
        rows = provenance.read_rows(out.read(paths[index]))
        share = SHEET_ROWS * (place + 1) // len(shown) - SHEET_ROWS * place // len(shown)
        yield from (rows[position] for position in evenly(len(rows), share))


def _cells(row: Row, out: Storage, contents: Storage, exemplars: Storage) -> list[Cell]:
    sources = (
        (contents, row["content_source"]),
        (exemplars, row["exemplar_source"]),
        (out, row["image"]),
    )
    try:
        return fit_row(
            [Cell(picture=images.decode_rgb(storage.read(path)), caption=inner(path)) for storage, path in sources]
        )
    except BadInput:
        return []
