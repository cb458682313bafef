"""The result of examining a dataset, as plain data that a program or a terminal can show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from stylize.datasets.labels import Verdict

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong with some files: how many, which for instance, and the remedy."""

    kind: str
    severity: Severity
    count: int
    message: str
    remedy: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LabelKind:
    """All label files of one kind, such as `gtFine_labelIds`; shares are fractions of all its pixels, by value."""

    name: str
    files: int
    verdict: Verdict
    explanation: str
    shares: dict[int, float]


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What a dataset holds; `checked` of its `images` were opened."""

    url: str
    layout: str
    note: str
    images: int
    checked: int
    splits: dict[str, int]
    sizes: dict[str, int]
    """Number of pictures per "WIDTHxHEIGHT", the most frequent first."""
    formats: dict[str, int]
    """Number of pictures per format and pixel type, such as "PNG RGB"."""
    label_kinds: tuple[LabelKind, ...]
    class_names: dict[int, str]
    """From the dataset's classes.json; empty without one."""
    extras: tuple[str, ...]
    problems: tuple[Problem, ...]
    """The worst first."""

    @property
    def healthy(self) -> bool:
        """No problem beyond notes."""
        return all(problem.severity == "note" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain dicts, lists, numbers and strings."""
        plain = asdict(self)
        for kind in plain["label_kinds"]:
            kind["shares"] = _with_text_keys(kind["shares"])
        plain["class_names"] = _with_text_keys(plain["class_names"])
        return {**plain, "healthy": self.healthy}


def _with_text_keys(table: dict[int, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in table.items()}
