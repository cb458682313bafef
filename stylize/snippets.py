"""Code that reads an output of `mix`, with the right folders, names and classes in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from stylize.copies import Copies
from stylize.datasets.base import Dataset, open_dataset
from stylize.errors import ConfigurationError
from stylize.evaluation.pairing import labelled, own_set
from stylize.storage import Storage

FRAMEWORKS = ("torch", "mmsegmentation", "webdataset", "datasets")
SHARDS = {"webdataset": "webdataset", "datasets": "parquet"}  # framework -> the format it reads
DATA = "data"  # the folder of shards, see `pipelines.mixshards`


@dataclass(frozen=True, kw_only=True)
class Run:
    """An output of `mix`, the dataset that it was made of, and how that is read."""

    copies: Copies
    dataset: Dataset
    split: str | None
    label_kind: str | None


def snippet(
    out: str | os.PathLike[str],
    *,
    framework: str = "torch",
    dataset: str | os.PathLike[str] | None = None,
    layout: str = "auto",
    split: str | None = None,
    label_kind: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Return Python code that reads the copies in `out`, for the originals' own trainer.

    Args:
        out: a folder or URL that `mix` wrote.
        framework: "torch" (originals and copies in one PyTorch dataset), "mmsegmentation" (a configuration with both),
            "webdataset" or "datasets" (copies in shards, see `mix`'s `format`).
        dataset: where the originals are now, if not where they were.
        layout, split: how to read them and which part of them.
        label_kind: which labels, where there are several kinds.
        storage_options: passed to fsspec for both URLs.

    Raises:
        ConfigurationError: `out` is none of `mix`, or of a format that the framework does not read.
    """
    if framework not in FRAMEWORKS:
        raise ConfigurationError(f"framework {framework!r} is unknown: choose one of {', '.join(FRAMEWORKS)}")
    copies = Copies(Storage(out, storage_options))
    wanted = SHARDS.get(framework, "tree" if framework == "mmsegmentation" else copies.format)
    if copies.format != wanted:
        raise ConfigurationError(
            f"{copies.storage.url} is of the format {copies.format}, {framework} reads {wanted}: "
            f"write the copies with `stylize mix --format {wanted}`"
        )
    if framework in SHARDS:
        return _SHARDED[framework](copies)
    source = dataset or copies.run["sources"]["dataset"]
    opened = open_dataset(source, layout=layout, split=split, storage_options=storage_options)
    run = Run(copies=copies, dataset=opened, split=split, label_kind=label_kind)
    return _torch(run) if framework == "torch" else _mmsegmentation(run)


def _torch(run: Run) -> str:
    _, kind = labelled(run.dataset, run.label_kind)
    next(run.copies.of(run.dataset))  # so that what cannot work is said now
    more = "" if run.split is None else f"\n    split={run.split!r},"
    return f"""\
import stylize
from torch.utils.data import DataLoader

dataset = stylize.MixedDataset(
    {run.dataset.storage.url!r},
    {run.copies.storage.url!r},
    p=0.5,  # how often a picture is one of its copies
    layout={run.dataset.layout!r},{more}
    label_kind={kind!r},
    transform=None,  # called with each item: image [3, H, W] uint8, label [H, W] int64, copy, id, path
)
loader = DataLoader(dataset, batch_size=1, shuffle=True, num_workers=2)
for epoch in range(1):
    dataset.set_epoch(epoch)
    for batch in loader:
        print(batch.id[0], batch.image.shape, batch.label.shape, "original" if batch.copy == 0 else "copy")
"""


def _webdataset(copies: Copies) -> str:
    return f"""\
import webdataset

shards = {_shards(copies, ".tar")!r}
dataset = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
for sample in dataset:
    print(sample["__key__"], sorted(name for name in sample if not name.startswith("_")))
"""


def _datasets(copies: Copies) -> str:
    files = _shards(copies, ".parquet")
    splits = sorted({file.rpartition("/")[2].partition("-")[0] for file in files})
    by_split = {split: [file for file in files if file.rpartition("/")[2].startswith(f"{split}-")] for split in splits}
    return f"""\
import datasets

dataset = datasets.load_dataset("parquet", data_files={by_split!r})
for name, split in dataset.items():
    print(name, split.features)
    print(split[0]["id"], split[0]["image"].size)
"""


def _shards(copies: Copies, suffix: str) -> list[str]:
    files = [copies.storage.locate(path) for path in copies.storage.list(DATA) if path.endswith(suffix)]
    if not files:
        raise ConfigurationError(f"{copies.storage.url} holds no shards yet: see `stylize status`")
    return files


_SHARDED: Mapping[str, Callable[[Copies], str]] = {"webdataset": _webdataset, "datasets": _datasets}


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where pictures and labels of one kind are, as mmsegmentation looks for them: below two folders, by ending."""

    images: str
    labels: str
    image_suffix: str
    label_suffix: str


def folders(files: Iterable[tuple[str, str, str]]) -> list[Folders]:
    """Return the folders of pictures, given each with its label and the part of the name that both begin with."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for image, label, key in files:
        image_folder, image_name = image.rpartition("/")[::2]
        label_folder, label_name = label.rpartition("/")[::2]
        first, second, shared = _unshared(image_folder.split("/"), label_folder.split("/"))
        endings = image_name[len(key) :], label_name[len(key) :]
        within = found.setdefault((first, second, *endings), shared)
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(within, shared, strict=False))
        del within[sum(1 for _ in alike) :]
    return [
        Folders(
            images="/".join(filter(None, [first, *shared])),
            labels="/".join(filter(None, [second, *shared])),
            image_suffix=image_suffix,
            label_suffix=label_suffix,
        )
        for (first, second, image_suffix, label_suffix), shared in sorted(found.items())
    ]


def _unshared(first: list[str], second: list[str]) -> tuple[str, str, list[str]]:
    """Split the folders that two paths end with alike off them."""
    count = 0
    while count < min(len(first), len(second)) and first[-1 - count] == second[-1 - count]:
        count += 1
    return "/".join(first[: len(first) - count]), "/".join(second[: len(second) - count]), first[len(first) - count :]


def _mmsegmentation(run: Run) -> str:
    for storage in (run.dataset.storage, run.copies.storage):
        if not storage.is_local:
            raise ConfigurationError(f"mmsegmentation reads folders of this machine, not {storage.url}: copy it here")
    frames, kind = labelled(run.dataset, run.label_kind)
    labels = {sample.id: label for sample, label in frames}
    splits = sorted({sample.split for sample, _ in run.copies.of(run.dataset)})
    blocks = []
    for split in splits:
        originals = folders((s.image, label, s.key) for s, label in frames if s.split == split)
        copies = folders(_copied(run, labels, split))
        blocks += [_block(run.dataset.storage, one) for one in originals]
        blocks += [_block(run.copies.storage, one) for one in copies]
    known = own_set(run.dataset, kind)
    classes = repr(known.classes) if known else "()  # name your classes here, in the order of their ids"
    ignored = sorted(known.ignore - {255}) if known else []
    ignore = f"# Ids {ignored} mean no class: set ignore_index of the losses to them.\n" if ignored else ""
    listed = "\n".join(blocks)
    return f"""\
# Originals and stylized copies for mmsegmentation 1.x: put it beside your configuration, and name it in its _base_.
metainfo = dict(
    classes={classes},
)
{ignore}stylized_pipeline = [  # yours, with its augmentations
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[
{listed}
        ],
    ),
)
"""


def _copied(run: Run, labels: Mapping[str, str], split: str) -> Iterator[tuple[str, str, str]]:
    for sample, row in run.copies.of(run.dataset):
        if sample.split == split and sample.id in labels:
            key = f"{sample.key}__{row.k}" if row.k else sample.key
            yield row.image, run.copies.label_of(row, sample, labels[sample.id]), key


def _block(storage: Storage, where: Folders) -> str:
    lines: Sequence[str] = (
        "dict(",
        '    type="BaseSegDataset",',
        f"    data_root={storage.url!r},",
        f"    data_prefix=dict(img_path={where.images!r}, seg_map_path={where.labels!r}),",
        f"    img_suffix={where.image_suffix!r},",
        f"    seg_map_suffix={where.label_suffix!r},",
        "    metainfo=metainfo,",
        "    pipeline=stylized_pipeline,",
        "),",
    )
    return "\n".join(" " * 12 + line for line in lines)
