"""The tables of presets say what the presets are."""

from __future__ import annotations

from typing import Any

import pytest

from stylize.training import config, generator_config
from tests.docs.pages import page


def tables() -> dict[str, list[tuple[str, str, str]]]:
    """Return the rows `(setting, light, paper)` of each table of presets, by the heading above it."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name in ("docs/generators.md", "docs/method.md"):
        heading = ""
        for line in page(name).prose:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not line.startswith("|"):
                heading, within = line.strip("# ") if line.startswith("#") else heading, False
            elif [cell.strip("`").removeprefix("--preset ") for cell in cells[1:3]] == ["light", "paper"]:
                within = True
            elif within and not cells[0].startswith("---"):
                found.setdefault(f"{name} {heading}", []).append((cells[0].strip("`"), cells[1], cells[2]))
    return found


def spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.5f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


PRESETS = {
    "docs/generators.md An encoder for it": config.PRESETS,
    "docs/generators.md Training a generator": generator_config.PRESETS,
    "docs/method.md Losses": config.PRESETS,
}


@pytest.mark.parametrize("place", list(PRESETS))
def test_presets_are_as_told(place: str) -> None:
    rows = tables()[place]
    light, paper = PRESETS[place]["light"], PRESETS[place]["paper"]
    assert len(rows) > 6
    assert rows == [(name, spelled(getattr(light, name)), spelled(getattr(paper, name))) for name, _, _ in rows]
