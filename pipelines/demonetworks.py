"""The segmentation networks of the demo: what each learns from, its training, its label pictures."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from safetensors.torch import load, save

from pipelines.demoscenes import DAY, TRAIN
from pipelines.demotruth import STYLIZED
from pipelines.events import Event, RunStarted, UnitDone, in_turn
from pipelines.flow import cores, prefetch
from pipelines.units import Outcome
from stylize.datasets.base import open_dataset
from stylize.evaluation.pairing import labelled
from stylize.images import decode_rgb
from stylize.labelsets import LabelSet, described_set, identity, read_ids
from stylize.models.segmenter import Segmenter, initial
from stylize.png import write_png
from stylize.scenes.dataset import classes_json
from stylize.storage import Storage
from stylize.training.segmenter import Frames, Recipe, Training, predict

NETWORKS, PREDICTIONS = "networks", "predictions"
INTRA = "intra"
TOLD_EVERY, KEPT_EVERY = 10, 50  # steps
SEEN = 96  # height of the pictures as the networks see them, in pixels
FULL, SMALL = (16, 32, 64, 96), (8, 16, 32, 48)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A network: `copies` is the folder of the stylized pictures it is trained on beside the streets by day."""

    name: str
    words: str
    copies: str | None = None
    small: bool = False
    relit: bool = False

    @property
    def weights(self) -> str:
        """Return its file."""
        return f"{NETWORKS}/{self.name}.safetensors"

    @property
    def unfinished(self) -> str:
        """Return the file of a training that was interrupted."""
        return f"{NETWORKS}/{self.name}.unfinished"

    def start(self, classes: int, seed: int) -> Segmenter:
        """Return the network before its training."""
        widths, pyramid = (SMALL, 16) if self.small else (FULL, 32)
        return initial(classes, seed, widths, pyramid)


BEFORE = Arm(name="day", words="streets by day")
AFTER = Arm(name="extra", words="streets by day and their copies in the style of the exemplars", copies=STYLIZED)
ARMS = (
    BEFORE,
    Arm(name="day-small", words="streets by day, with a quarter of the weights", small=True),
    Arm(name="day-relit", words="streets by day, their light changed at random while training", relit=True),
    Arm(name="intra", words="streets by day and their copies in the style of one another", copies=INTRA),
    AFTER,
    Arm(name="extra-small", words="as extra, with a quarter of the weights", copies=STYLIZED, small=True),
)


def train_missing(storage: Storage, *, steps: int, seed: int, height: int, on_event: Callable[[Event], None]) -> None:
    """Train the networks that are not there yet, one on each core; what an interruption stopped goes on there.

    Each is trained on one thread with randomness of its own, so that its weights do not depend on the others.
    """
    there = set(storage.list(NETWORKS))
    todo = [arm for arm in ARMS if arm.weights not in there]
    every, done = steps * len(ARMS), steps * (len(ARMS) - len(todo))
    tell = in_turn(on_event)
    tell(RunStarted(kind="train", units=every, done=done, todo=every - done, inputs=every))
    if not todo:
        return
    pictures = _Pictures(storage, height)
    stop = threading.Event()

    def train(arm: Arm) -> None:
        _train(storage, arm, pictures, Recipe(steps=steps, relit=arm.relit), seed, stop, tell)

    pool = ThreadPoolExecutor(cores(), "train")
    with _single_threads():
        try:
            for _ in prefetch(pool, train, todo, ahead=len(todo)):
                pass
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def predict_missing(
    storage: Storage, sets: Mapping[str, tuple[str, str | None]], *, height: int, on_event: Callable[[Event], None]
) -> None:
    """Write the label pictures of every network on labelled sets that are not there yet.

    `sets` are datasets and their split by the name of the folder under which the predictions go.
    """
    there = set(storage.list(PREDICTIONS))
    pictures = [
        (dataset, sample.image, f"{name}/{sample.image}")
        for name, (dataset, split) in sets.items()
        for sample in open_dataset(storage.sub(dataset), layout="camvid", split=split).samples
    ]
    todo = [
        (arm, f"{dataset}/{image}", path)
        for arm in ARMS
        for dataset, image, name in pictures
        if (path := f"{PREDICTIONS}/{arm.name}/{name}") not in there
    ]
    total = len(ARMS) * len(pictures)
    on_event(RunStarted(kind="predict", units=total, done=total - len(todo), todo=len(todo), inputs=total))
    networks = {arm: _trained(storage, arm) for arm in dict.fromkeys(arm for arm, _, _ in todo)}

    def write(item: tuple[Arm, str, str]) -> int:
        arm, picture, path = item
        data = write_png(predict(networks[arm], decode_rgb(storage.read(picture)), height))
        storage.write(path, data)
        return len(data)

    pool = ThreadPoolExecutor(cores(), "predict")
    with _single_threads():
        try:
            for number, size in enumerate(prefetch(pool, write, todo, ahead=8)):
                on_event(UnitDone(outcome=Outcome(unit=number, rows=1, bytes=size)))
        finally:
            pool.shutdown(cancel_futures=True)


def streets() -> LabelSet:
    """Return the classes of the labels."""
    return described_set(json.loads(classes_json()), "the streets' classes.json")


def seen_height(height: int) -> int:
    """Return how high the networks see pictures of a height."""
    return max(16, min(SEEN, height // 16 * 16))


class _Pictures:
    """The pictures to train on, each set read when a network first needs it and then shared."""

    def __init__(self, storage: Storage, height: int) -> None:
        self._storage, self._height = storage, height
        self._lock = threading.Lock()
        self._read: dict[str, Frames] = {}

    def of(self, folder: str) -> Frames:
        with self._lock:
            if folder not in self._read:
                self._read[folder] = self._frames(folder)
            return self._read[folder]

    def _frames(self, folder: str) -> Frames:
        dataset = open_dataset(self._storage.sub(folder), layout="camvid", split=TRAIN)
        frames, _ = labelled(dataset)
        classes = identity(streets())
        return Frames.of(
            [
                (decode_rgb(dataset.storage.read(sample.image)), classes(read_ids(dataset.storage.read(label))))
                for sample, label in frames
            ],
            self._height,
        )


def _train(
    storage: Storage,
    arm: Arm,
    pictures: _Pictures,
    recipe: Recipe,
    seed: int,
    stop: threading.Event,
    tell: Callable[[Event], None],
) -> None:
    """Train a network to its end, or until it shall stop; then its state is kept."""
    copies = None if arm.copies is None else pictures.of(arm.copies)
    training = Training(arm.start(len(streets()), seed), pictures.of(DAY), copies, recipe, seed)
    if storage.exists(arm.unfinished):
        training.load(torch.load(io.BytesIO(storage.read(arm.unfinished)), weights_only=True))
        _progress(training.step, tell)
    for _ in training.steps():
        if training.step % TOLD_EVERY == 0 or training.step == recipe.steps:
            _progress(training.step % TOLD_EVERY or TOLD_EVERY, tell)
        if training.step < recipe.steps and (stop.is_set() or training.step % KEPT_EVERY == 0):
            buffer = io.BytesIO()
            torch.save(training.state(), buffer)
            storage.write(arm.unfinished, buffer.getvalue())
        if stop.is_set():
            return
    storage.write(arm.weights, save(training.network.state_dict()))
    if storage.exists(arm.unfinished):
        storage.remove(arm.unfinished)


def _progress(steps: int, tell: Callable[[Event], None]) -> None:
    tell(UnitDone(outcome=Outcome(unit=0, rows=steps, bytes=0)))


def _trained(storage: Storage, arm: Arm) -> Segmenter:
    state = load(storage.read(arm.weights))
    network = arm.start(len(state["head.bias"]), 0)
    network.load_state_dict(state)
    return network.eval()


@contextmanager
def _single_threads() -> Iterator[None]:
    """Let every network compute on one thread: several side by side are faster, and their sums do not depend on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def named(arms: Sequence[Arm] = ARMS) -> dict[str, Arm]:
    """Return the networks by name."""
    return {arm.name: arm for arm in arms}
