"""What the workers of `mix` share: a unit's way from the plan to its commit record, whatever makes the pictures."""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from pipelines import commits, figures, provenance
from pipelines.commits import Commit, FileRecord
from pipelines.exemplarpictures import ExemplarPictures
from pipelines.flow import Stopwatch, make_crew
from pipelines.mixfiles import Original
from pipelines.mixguard import Copy, tally, without_most_pictures
from pipelines.mixplan import PLAN
from pipelines.mixshards import IMAGE, Packing, Part, unpacked
from pipelines.mixweather import Shares, Weather
from pipelines.provenance import Row
from pipelines.units import Failure, Outcome, Unit
from pipelines.worklist import WorkList
from stylize.datasets.labels import label_kind
from stylize.export import encode_picture
from stylize.storage import Storage


@dataclass(frozen=True, kw_only=True)
class MixWorkSpec:
    """What the spec of every such worker holds. `styles` is None when the exemplars come from the cache itself.

    `exemplars` is the dataset that they are files of. Draws with a content score below `least_score` are refused; 0 is
    no guard. `packing` is None when the output is a tree.
    """

    out: Storage
    cache: Storage
    styles: Storage | None
    dataset: Storage
    exemplars: Storage
    run: str
    io_threads: int | None
    least_score: float
    weather: Shares
    packing: Packing | None

    def ids(self, unit: Unit) -> Sequence[str]:
        """Return the content ids of a unit."""
        return [content for content, _ in by_content(WorkList(self.out.read(PLAN)).rows(unit.index), "id")]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A content whose copies are in the output, or, for each row, the parts of one that is yet to be packed."""

    rows: Sequence[Row]
    files: Sequence[FileRecord]
    parts: Sequence[Sequence[Part]] = ()


@dataclass(frozen=True, kw_only=True)
class WrittenCopy:
    """A copy that is in the output: its provenance, its picture and its labels."""

    row: Row
    files: Sequence[FileRecord]
    parts: Sequence[Part] = ()


def together(copies: Sequence[WrittenCopy]) -> Written:
    """Return a content whose copies are these."""
    files = [file for copy in copies for file in copy.files]
    return Written(rows=[copy.row for copy in copies], files=files, parts=[copy.parts for copy in copies])


class MixWorker(ABC):
    """Makes the pictures of a unit; `pictures` is what differs between the methods."""

    def __init__(self, spec: MixWorkSpec) -> None:
        self._common = spec
        self._work = WorkList(spec.out.read(PLAN))
        self._crew = make_crew(spec.io_threads)
        self.exemplars = ExemplarPictures(spec.exemplars)
        self.weather = Weather(spec.weather, self.exemplars)

    @abstractmethod
    def pictures(
        self, groups: Sequence[Sequence[Row]], kept: frozenset[str], watch: Stopwatch
    ) -> Iterator[Written | Failure]:
        """Write the copies of the contents of a unit, in the order of the plan, but for those that were `kept`."""

    def close(self) -> None:
        """Stop the threads."""
        self._crew.shutdown()

    def run(self, unit: Unit) -> Outcome:
        """Make the pictures of a unit, its provenance and its commit record; with `unit.retry` only what failed."""
        watch, begun = Stopwatch(self._crew), time.time()
        groups = [rows for _, rows in by_content(self._work.rows(unit.index), "id")]
        made = self._kept(unit, watch) if unit.retry else {}
        failures = []
        for item in self.pictures(groups, frozenset(made), watch):
            if isinstance(item, Failure):
                failures.append(item)
            else:
                made[item.rows[0]["content"]] = item
        written = [made[rows[0]["id"]] for rows in groups if rows[0]["id"] in made]
        return self._commit(unit, written, failures, watch, begun)

    def _commit(
        self, unit: Unit, written: Sequence[Written], failures: Sequence[Failure], watch: Stopwatch, begun: float
    ) -> Outcome:
        out = self._common.out
        if unit.retry:
            commits.remove(out, unit.index)  # its provenance is about to change
        rows: list[Row] = [*without_most_pictures([row for content in written for row in content.rows])]
        files = [record for content in written for record in content.files]
        if rows:
            with watch("write"):
                if self._common.packing:
                    parts = [parts for content in written for parts in content.parts]
                    rows, files = self._common.packing.publish(out, unit.index, list(zip(rows, parts, strict=True)))
                files.append(commits.publish(out, provenance.path_of(unit.index), provenance.write_rows(rows)))
        commit = Commit(
            run=self._common.run,
            unit=unit.index,
            rows=len(rows),
            files=tuple(dict.fromkeys(files)),  # pictures that share a label name it once
            failures=tuple(failures),
            seconds=watch.seconds,
            figures={**figures.tally("shift", (row["shift"] for row in rows)), **tally(rows)},
            span=(begun, time.time()),
        )
        return commits.write(out, commit)

    def _kept(self, unit: Unit, watch: Stopwatch) -> dict[str, Written]:
        """Return what an earlier session wrote, by content id."""
        out = self._common.out
        with watch("read"):
            records = {record.path: record for record in commits.read(out, unit.index).files}
            path = provenance.path_of(unit.index)
            rows = provenance.read_rows(out.read(path)) if path in records else []
            if self._common.packing:
                return {content: _unpacked(out, copies) for content, copies in by_content(rows, "content")}
        return {
            content: Written(rows=copies, files=[records[p] for r in copies for p in (r["image"], *r["labels"])])
            for content, copies in by_content(rows, "content")
        }

    def write_copy(
        self, copy: Copy, original: Original, labels: Mapping[str, bytes], how: Row, watch: Stopwatch
    ) -> WrittenCopy:
        """Write a settled copy where its plan row says, with its labels; `how` is what made it, for the provenance."""
        row, draw = copy.written_as, copy.best
        with watch("encode"):
            data = encode_picture(draw.picture_HWC, row["image"])
        height, width, _ = draw.picture_HWC.shape
        copy.release()
        asked = asdict(self._common.weather)
        made = {"height": height, "width": width, "shift": draw.shift, **asked, **copy.verdict()}
        files: list[FileRecord] = []
        parts: list[Part] = []
        if self._common.packing:
            sha256 = hashlib.sha256(data).hexdigest()
            parts = self._parts(row, self._common.packing.columns, original, data, labels)
        else:
            files = self._publish(row, data, labels, watch)
            sha256 = files[0].sha256
        return WrittenCopy(row={**copy_row(row, original, sha256), **how, **made}, files=files, parts=parts)

    def _publish(self, row: Row, data: bytes, labels: Mapping[str, bytes], watch: Stopwatch) -> list[FileRecord]:
        """Write a picture and its labels into the tree."""
        files = {row["image"]: data, **{label["path"]: labels[label["source"]] for label in row["labels"]}}
        with watch("write"):
            return [commits.publish(self._common.out, path, content) for path, content in files.items()]

    def _parts(
        self, row: Row, columns: Mapping[str, str], original: Original, data: bytes, labels: Mapping[str, bytes]
    ) -> list[Part]:
        """Return what goes into a shard; it is in memory until its unit is done."""
        parts = [Part(column=IMAGE, path=row["image"], data=data)]
        for label in row["labels"]:
            column = columns[label_kind(original, label["source"])]
            parts.append(Part(column=column, path=label["path"], data=labels[label["source"]]))
        return parts


def _unpacked(out: Storage, rows: Sequence[Row]) -> Written:
    """Return the copies of a content that an earlier session packed."""
    copies = [unpacked(out, row) for row in rows]
    return Written(rows=[row for row, _ in copies], files=(), parts=[parts for _, parts in copies])


def by_content(rows: Sequence[Row], column: str) -> list[tuple[str, list[Row]]]:
    """Return the rows of each content, which follow one another."""
    return [(content, list(copies)) for content, copies in groupby(rows, key=lambda row: row[column])]


def copy_row(row: Row, original: Original, sha256: str) -> dict[str, Any]:
    """Return what the provenance of a copy, whose picture has this hash, says whatever made it."""
    same = ("k", "exemplar", "exemplar_source", "exemplar_sha256", "strength", "seed")
    return {
        **{name: row[name] for name in same},
        "content": row["id"],
        "content_source": original.image,
        "split": original.split,
        "image": row["image"],
        "labels": [label["path"] for label in row["labels"]],
        "sha256": sha256,
    }
