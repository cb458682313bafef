"""Examine a dataset before hours of work go into it: what is in it, what is wrong, and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from stylize.datasets.base import Dataset
from stylize.datasets.diagnosis import Diagnosis, LabelKind, Problem, Severity
from stylize.datasets.inspection import Finding, LabelFinding, inspect
from stylize.datasets.labels import EXPLANATIONS, MOST_CLASSES, Verdict, class_names, judge, promised
from stylize.datasets.tree import Sample
from stylize.errors import BadInput

__all__ = ["Diagnosis", "LabelKind", "Problem", "diagnose"]

EXAMPLES = 5
SMALLEST_SIDE = 32


def diagnose(
    dataset: Dataset,
    *,
    limit: int | None = None,
    threads: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> Diagnosis:
    """Open every picture and label (or `limit` samples, spread evenly) and say what is wrong.

    Only counts are kept, so memory does not grow with the pictures. `progress(done, total)` is called in this thread
    after each sample.
    """
    chosen = _spread(dataset.samples, limit)
    tally = Tally()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="doctor") as pool:
        for done, finding in enumerate(_in_order(pool, dataset, chosen, 3 * threads), start=1):
            tally.add(finding)
            if progress is not None:
                progress(done, len(chosen))
    kinds = tally.kinds(dataset.layout)
    names = _class_names(dataset)
    problems = [*tally.problems(), *_about_names(dataset), *_about_values(kinds, names)]
    return Diagnosis(
        url=dataset.storage.url,
        layout=dataset.layout,
        note=dataset.note,
        images=len(dataset),
        checked=len(chosen),
        splits=dataset.splits,
        sizes=dict(tally.sizes.most_common()),
        formats=dict(tally.formats.most_common()),
        label_kinds=kinds,
        class_names=names,
        extras=dataset.extras,
        problems=tuple(sorted(problems, key=lambda problem: ("error", "warning", "note").index(problem.severity))),
    )


class Tally:
    """Counts over all samples seen so far."""

    def __init__(self) -> None:
        self.sizes: Counter[str] = Counter()
        self.formats: Counter[str] = Counter()
        self._first_of: dict[bytes, str] = {}
        self._troubles: dict[str, list[str]] = defaultdict(list)
        self._files: Counter[str] = Counter()
        self._colour: set[str] = set()
        self._values: dict[str, Counter[int]] = defaultdict(Counter)

    def add(self, finding: Finding) -> None:
        """Take one opened sample."""
        path = finding.sample.image
        if finding.size is None:
            self._troubles["unreadable-image"].append(f"{path}: {finding.trouble}")
        else:
            self.sizes["{}x{}".format(*finding.size)] += 1
            self.formats[finding.format] += 1
            if min(finding.size) < SMALLEST_SIDE:
                self._troubles["tiny-image"].append("{}: {}x{}".format(path, *finding.size))
            twin = self._first_of.setdefault(finding.sha256, path)
            if twin != path:
                self._troubles["duplicate"].append(f"{path} = {twin}")
        for label in finding.labels:
            self._add_label(finding, label)

    def _add_label(self, finding: Finding, label: LabelFinding) -> None:
        self._files[label.kind] += 1
        if label.trouble:
            self._troubles["unreadable-label"].append(f"{label.path}: {label.trouble}")
            return
        if label.colour:
            self._colour.add(label.kind)
        values = self._values[label.kind]
        if len(values) <= MOST_CLASSES:  # beyond that they are no classes, and instances would fill the memory
            values.update(label.counts)
        if label.lossy:
            self._troubles["lossy-label"].append(label.path)
        if label.size and finding.size and label.size != finding.size:
            turned = label.size == finding.size[::-1]
            text = "{}: {}x{}, the image is {}x{}".format(label.path, *label.size, *finding.size)
            self._troubles["turned-label" if turned else "size-mismatch"].append(text)

    def kinds(self, layout: str) -> tuple[LabelKind, ...]:
        """Return the kinds of labels with their verdicts."""
        return tuple(self._kind(name, layout) for name in sorted(self._files))

    def _kind(self, name: str, layout: str) -> LabelKind:
        values = self._values[name]
        verdict: Verdict = "data"
        if values or name in self._colour:
            verdict = judge(values, colour=name in self._colour, layout=layout, kind=name)
        total = values.total()
        shares = {value: values[value] / total for value in sorted(values)} if verdict != "instances" else {}
        return LabelKind(
            name=name, files=self._files[name], verdict=verdict, explanation=EXPLANATIONS[verdict], shares=shares
        )

    def problems(self) -> list[Problem]:
        """Return what was found inside the files."""
        return [
            _problem(kind, severity, self._troubles[kind], message, remedy)
            for kind, severity, message, remedy in INSIDE
            if self._troubles[kind]
        ]


INSIDE: tuple[tuple[str, Severity, str, str], ...] = (
    (
        "unreadable-image",
        "error",
        "pictures cannot be read",
        "fetch them again or delete them; a run records and skips them",
    ),
    ("unreadable-label", "error", "labels cannot be read", "fetch them again, or delete them with their pictures"),
    (
        "size-mismatch",
        "error",
        "labels have another size than their picture",
        "export labels at the size of the pictures",
    ),
    (
        "turned-label",
        "error",
        "labels fit their picture before its EXIF rotation",
        "turn the labels, or clear the rotation",
    ),
    ("lossy-label", "error", "labels are JPEG, which changes ids", "store labels as PNG"),
    (
        "tiny-image",
        "warning",
        f"pictures are narrower than {SMALLEST_SIDE} pixels",
        "delete thumbnails from the dataset",
    ),
    ("duplicate", "warning", "pictures are byte-identical to another", "keep one of each, above all across splits"),
)


def _about_names(dataset: Dataset) -> Iterator[Problem]:
    """Yield what the file names alone tell."""
    if dataset.orphans:
        yield _problem(
            "orphan-label",
            "warning",
            dataset.orphans,
            "labels have no picture",
            "add the pictures or delete the labels",
        )
    labelled = {sample.split for sample in dataset.samples if sample.labels}
    bare = [sample for sample in dataset.samples if not sample.labels]
    missing = [sample.image for sample in bare if sample.split in labelled]
    if missing:
        yield _problem(
            "no-label", "error", missing, "pictures have no label", "label them, or move them to a folder of exemplars"
        )
    unlabelled = sorted({sample.split for sample in bare} - labelled)
    if unlabelled:
        where = [split or "the whole dataset" for split in unlabelled]
        yield _problem("unlabelled-split", "note", where, "splits have no labels", "usable as style exemplars")
    yield from _about_incomplete(dataset.samples)


def _about_incomplete(samples: Sequence[Sample]) -> Iterator[Problem]:
    numbers = Counter((sample.split, len(sample.labels)) for sample in samples if sample.labels)
    usual = {split: number for (split, number), _ in sorted(numbers.items(), key=lambda item: item[1])}
    fewer = [sample.image for sample in samples if 0 < len(sample.labels) < usual.get(sample.split, 0)]
    if fewer:
        yield _problem(
            "incomplete-labels",
            "warning",
            fewer,
            "pictures have fewer label files than their neighbours",
            "add what is missing",
        )


def _about_values(kinds: Sequence[LabelKind], names: dict[int, str]) -> Iterator[Problem]:
    for kind in kinds:
        unknown = [f"{kind.name}: id {value}" for value in kind.shares if value not in names]
        if names and unknown and kind.verdict == "ids":
            yield _problem(
                "unknown-id", "error", unknown, "ids are not in classes.json", "correct the labels or add the classes"
            )
        said = promised(kind.name)
        if said in ("train-ids", "label-ids") and kind.verdict not in (said, "data"):
            yield _problem(
                "wrong-ids",
                "error",
                [f"{kind.name}: {kind.explanation}"],
                f"kind of label is named as {said} but holds something else",
                "convert the ids or correct the names",
            )
    verdicts = {kind.verdict for kind in kinds}
    if verdicts and verdicts <= {"colour", "data"}:
        yield _problem(
            "no-ids", "warning", sorted(verdicts), "labels hold no ids", "trainers need id images beside the colours"
        )


def _class_names(dataset: Dataset) -> dict[int, str]:
    if "classes.json" not in dataset.extras:
        return {}
    try:
        return class_names(dataset.storage.read_json("classes.json"))
    except BadInput:
        return {}


def _problem(kind: str, severity: Severity, items: Sequence[str], message: str, remedy: str) -> Problem:
    return Problem(
        kind=kind, severity=severity, count=len(items), message=message, remedy=remedy, examples=tuple(items[:EXAMPLES])
    )


def _spread(samples: Sequence[Sample], limit: int | None) -> Sequence[Sample]:
    if limit is None or limit >= len(samples):
        return samples
    return [samples[k * len(samples) // limit] for k in range(limit)]


def _in_order(pool: ThreadPoolExecutor, dataset: Dataset, samples: Iterable[Sample], ahead: int) -> Iterator[Finding]:
    """Inspect in threads, at most `ahead` samples in advance; on an error the waiting ones are given up."""
    waiting: deque[Future[Finding]] = deque()
    try:
        for sample in samples:
            waiting.append(pool.submit(inspect, dataset.storage, sample))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
