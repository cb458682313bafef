"""The trees that the page of datasets shows are read as it says, and copies get the names that it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.options import LAYOUTS
from stylize.datasets.base import open_dataset
from stylize.export import output_path
from tests.docs.pages import page

PAGE = page("docs/datasets.md")


def trees() -> list[tuple[str, str]]:
    """Return `(layout, files)` of each tree under the heading of its layout."""
    lines = {number: line.strip("# ") for number, line in enumerate(PAGE.prose, 1) if line.startswith("### ")}
    found = []
    for block in PAGE.blocks:
        above = [name for number, name in lines.items() if number < block.line]
        if block.language == "text" and above and above[-1] in LAYOUTS:
            found.append((above[-1], block.text))
    return found


def fill(root: Path, files: str) -> list[str]:
    names = files.split()
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return names


@pytest.mark.parametrize(("layout", "files"), trees())
def test_a_tree_is_read_as_its_layout(layout: str, files: str, tmp_path: Path) -> None:
    names = fill(tmp_path, files)
    found = open_dataset(tmp_path)
    assert found.layout == layout
    assert found.orphans == ()
    read = {path for sample in found.samples for path in (sample.image, *sample.labels)} | set(found.extras)
    assert read == set(names)


def test_copies_have_the_names_of_the_table(tmp_path: Path) -> None:
    shown = {cells[0].strip("`"): cells[1].strip("`") for cells in PAGE.rows() if "__1" in cells[-1]}
    keys: dict[str, str] = {}
    for number, (_, files) in enumerate(trees()):
        fill(tmp_path / str(number), files)
        for sample in open_dataset(tmp_path / str(number)).samples:
            keys |= dict.fromkeys((sample.image, *sample.labels), sample.key)
    assert len(shown) > 4
    assert shown == {path: output_path(path, keys[path], 1) for path in shown}
