"""Which folder is a demo's own: it is marked by the demo's settings, and nothing of anybody else is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.democommands import PLOT, PROXY, RANKING
from pipelines.demonetworks import INTRA, NETWORKS, PREDICTIONS
from pipelines.demoscenes import DATA
from pipelines.demotruth import FIGURES, STYLIZED
from stylize.errors import ConfigurationError
from stylize.storage import Storage

DEMO = "demo.json"
REPORT = "report.html"
FOLDERS = (DATA, "cache", STYLIZED, INTRA, PROXY, NETWORKS, PREDICTIONS)
FILES = (REPORT, FIGURES, RANKING, PLOT)


def claim(storage: Storage, settings: Mapping[str, Any], *, overwrite: bool) -> None:
    """Make a folder this demo's own, or find that it already is."""
    found = storage.list()
    if DEMO not in found:
        if found:
            raise ConfigurationError(
                f"{storage.url} is not empty and holds no demo (first file: {found[0]}); name an empty or a new folder"
            )
        storage.write_json(DEMO, settings)
        return
    if overwrite:
        _erase(storage, found)
        storage.write_json(DEMO, settings)
        return
    known = storage.read_json(DEMO)
    differences = [
        f"{name} is {_short(known.get(name))} there and {_short(value)} here"
        for name, value in settings.items()
        if known.get(name) != value
    ]
    if differences:
        raise ConfigurationError(
            f"{storage.url} holds another demo ({'; '.join(differences)}); name another folder or pass --overwrite"
        )


def _erase(storage: Storage, found: Sequence[str]) -> None:
    """Remove what a demo wrote, its mark last; files of anybody else beside it stay."""
    own = tuple(f"{folder}/" for folder in FOLDERS)
    for path in found:
        if path.startswith(own) or path in FILES:
            storage.remove(path)
    storage.remove(DEMO)


def _short(value: Any) -> str:
    return str(value)[:12]
