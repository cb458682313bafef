"""`train-encoder`: from a folder of pictures and a generator to a model bundle."""

from __future__ import annotations

import fnmatch
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylize.datasets.base import Sample, open_dataset
from stylize.errors import ConfigurationError, FatalError
from stylize.images import encode
from stylize.models.bundle import Bundle, load_bundle, load_generator, make_encoder
from stylize.models.generator import Generator, GeneratorConfig
from stylize.models.perceptual import perceptual_distance
from stylize.storage import Storage
from stylize.training.config import EncoderTraining
from stylize.training.grid import swap_grid
from stylize.training.pictures import TrainingPictures
from stylize.training.record import TrainingRecord
from stylize.training.trainer import EncoderTrainer

LOG_EVERY = 20
HELD_OUT_BATCH = 16
GRID_PICTURES = 6


@dataclass(frozen=True, kw_only=True)
class TrainingEvent:
    """Progress of a training run; `figures` holds the losses since the last event and, at times, `heldout_psnr`."""

    images: int
    total: int
    images_per_second: float
    figures: Mapping[str, float]
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """What a finished run gives."""

    bundle: str
    images: int
    heldout_psnr: float | None
    unreadable: tuple[tuple[str, str], ...]


def train_encoder(
    dataset: str,
    out: str,
    *,
    training: EncoderTraining,
    generator: str | None = None,
    init: str | None = None,
    new_generator: GeneratorConfig | None = None,
    tune_generator: bool = False,
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    holdout: str | None = None,
    lpips_trunk: Path | None = None,
    checkpoint_minutes: float = 3.0,
    device: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Callable[[TrainingEvent], None] | None = None,
) -> TrainingSummary:
    """Train the masked noise encoder for a generator; a second call with the same arguments continues the run.

    Args:
        dataset: folder or URL of pictures; labels are not looked at.
        out: folder or URL of the run, see `stylize.training.record`.
        training: losses, masking, schedules.
        generator: file of the generator to invert; `init` a bundle to continue from; `new_generator` a generator to
            make from scratch, which needs `tune_generator`. Exactly one of the three.
        tune_generator: train the synthesis network along with the encoder.
        holdout: pattern of picture ids (such as `*0006R0*`) kept out of training; their PSNR is reported.
        lpips_trunk: torchvision's VGG16 weights; without them EfficientNet-Lite0 features are the perceptual loss.
        checkpoint_minutes: how often to save; the losses, a grid and the bundle are written at the same time.

    Raises:
        ConfigurationError: the arguments contradict each other or the run that `out` holds.
        FatalError: no readable pictures, no weights, or the losses are no longer finite.
    """
    if sum(x is not None for x in (generator, init, new_generator)) != 1:
        raise ConfigurationError("give exactly one of generator, init and new_generator")
    if new_generator is not None and not tune_generator:
        raise ConfigurationError("a new generator knows no pictures yet: it needs --tune-generator")
    say = on_event or (lambda _: None)
    bundle = _starting_bundle(training, generator, init, new_generator, storage_options).to(device or _device())
    source = open_dataset(dataset, layout=layout, split=split, storage_options=storage_options)
    samples, heldout_samples = _divide(source.samples, holdout, limit)
    record = TrainingRecord(Storage(out, storage_options))
    configuration = {
        "training": training.as_dict() | {"latent_fade": list(training.latent_fade), "betas": list(training.betas)},
        "generator": generator or init or "new",
        "generator_config": bundle.generator.config.as_dict(),
        "tune_generator": tune_generator,
        "holdout": holdout,
        "pictures": len(samples),
    }
    record.begin(_plain(configuration), overwrite=overwrite)
    height, width = bundle.height, bundle.width

    def loading(done: int, total: int) -> None:
        if done == total or done % 100 == 0:
            note = f"read {done} of {total} pictures"
            say(TrainingEvent(images=0, total=training.images, images_per_second=0, figures={}, message=note))

    pictures, bad = TrainingPictures.load(source, samples, height, width, on_picture=loading)
    heldout = TrainingPictures.load(source, heldout_samples, height, width)[0] if heldout_samples else None
    perceptual = None
    if training.perceptual:
        perceptual = perceptual_distance(lpips_trunk).to(bundle.device)
        note = f"perceptual loss: {perceptual.name}" + ("" if lpips_trunk else " (--lpips-trunk sets another)")
        say(TrainingEvent(images=0, total=training.images, images_per_second=0, figures={}, message=note))
    for module in (bundle, perceptual):
        if module is not None:
            module.to(memory_format=torch.channels_last)
    trainer = EncoderTrainer(bundle, pictures, training, perceptual, tune_generator=tune_generator)
    run = _Run(trainer, record, heldout, checkpoint_minutes * 60, say, source.storage.url)
    run.resume()
    psnr = run.train()
    return TrainingSummary(
        bundle=f"{out.rstrip('/')}/bundle.safetensors", images=trainer.images, heldout_psnr=psnr, unreadable=tuple(bad)
    )


class _Run:
    """The loop around the steps: checkpoints, figures, grids."""

    def __init__(
        self,
        trainer: EncoderTrainer,
        record: TrainingRecord,
        heldout: TrainingPictures | None,
        interval: float,
        say: Callable[[TrainingEvent], None],
        dataset: str,
    ) -> None:
        self.trainer, self.record, self.heldout, self.interval = trainer, record, heldout, interval
        self.say, self.dataset = say, dataset
        self.total = trainer.training.images

    def resume(self) -> None:
        state = self.record.load_checkpoint()
        if state is not None:
            self.trainer.load_state_dict(state)

    def train(self) -> float | None:
        """Train to the end; return the held-out PSNR in dB."""
        trainer = self.trainer
        psnr = self._save() if trainer.images >= self.total else None
        sums: dict[str, list[float]] = defaultdict(list)
        saved = noted = time.monotonic()
        first = trainer.images
        while trainer.images < self.total:
            for name, value in trainer.train_step().items():
                sums[name].append(value)
            done = trainer.images >= self.total
            if trainer.step % LOG_EVERY == 0 or done:
                figures = {name: sum(values) / len(values) for name, values in sums.items()}
                sums.clear()
                now = time.monotonic()
                rate, first, noted = (trainer.images - first) / max(now - noted, 1e-9), trainer.images, now
                self._note(figures, rate)
                if done or now - saved > self.interval:
                    psnr = self._save()
                    saved = first_saved = time.monotonic()
                    noted = first_saved
        return psnr

    def _note(self, figures: dict[str, float], rate: float) -> None:
        if not all(value == value and abs(value) != float("inf") for value in figures.values()):
            raise FatalError("the losses are no longer finite: lower --lr; the last checkpoint is from before")
        lr = float(self.trainer.optimizer.param_groups[0]["lr"])
        row = {"step": float(self.trainer.step), "images": float(self.trainer.images), "lr": lr} | figures
        self.record.rows.append(row)
        self.say(TrainingEvent(images=self.trainer.images, total=self.total, images_per_second=rate, figures=figures))

    def _save(self) -> float | None:
        trainer, average = self.trainer, self.trainer.average
        psnr = heldout_psnr(average, self.heldout) if self.heldout else None
        if psnr is not None and self.record.rows:
            self.record.rows[-1]["heldout_psnr"] = psnr
        shown = self.heldout or trainer.pictures
        step = max(len(shown) // GRID_PICTURES, 1)
        grid = swap_grid(average, shown.whole(range(0, min(len(shown), GRID_PICTURES * step), step)))
        self.record.save_grid(trainer.images, encode(grid, "png"))
        average.card = {
            "dataset": Path(self.dataset).name,
            "images": trainer.images,
            "training": _plain(trainer.training.as_dict()),
            "tune_generator": trainer.tune_generator,
            "heldout_psnr": psnr,
        }
        self.record.save_bundle(average.to_bytes())
        self.record.save_checkpoint(trainer.state_dict())
        figures = {} if psnr is None else {"heldout_psnr": psnr}
        note = "saved" if psnr is None else f"saved; held-out PSNR {psnr:.2f} dB"
        self.say(
            TrainingEvent(images=trainer.images, total=self.total, images_per_second=0, figures=figures, message=note)
        )
        return psnr


@torch.no_grad()
def heldout_psnr(bundle: Bundle, pictures: TrainingPictures) -> float:
    """Return the mean PSNR in dB (peak 2) of the reconstructions of whole pictures."""
    values: list[Tensor] = []
    for start in range(0, len(pictures), HELD_OUT_BATCH):
        batch = pictures.whole(range(start, min(start + HELD_OUT_BATCH, len(pictures)))).to(bundle.device)
        codes = bundle.encoder(batch)
        made = bundle.generator.synthesis(codes.ws_BLD, codes.noise).clamp(-1, 1)
        values.append(10 * torch.log10(4 / (made - batch).square().mean(dim=(1, 2, 3))))
    return torch.cat(values).mean().item()


def _starting_bundle(
    training: EncoderTraining,
    generator: str | None,
    init: str | None,
    new_generator: GeneratorConfig | None,
    storage_options: Mapping[str, Any] | None,
) -> Bundle:
    if init is not None:
        bundle = load_bundle(init, device="cpu", storage_options=storage_options)
        if bundle.encoder.config != training.encoder:
            raise ConfigurationError(
                f"the encoder of {init} has another shape than the configured one: match the preset"
            )
        return bundle
    if generator is not None:
        return _with_encoder(load_generator(generator, device="cpu", storage_options=storage_options), training)
    assert new_generator is not None
    return Bundle.create(new_generator, training.encoder, seed=training.seed)


def _with_encoder(generator: Generator, training: EncoderTraining) -> Bundle:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        return Bundle(make_encoder(training.encoder, generator), generator)


def _divide(samples: Sequence[Sample], holdout: str | None, limit: int | None) -> tuple[list[Sample], list[Sample]]:
    held = [s for s in samples if holdout is not None and fnmatch.fnmatch(s.id, holdout)]
    if holdout is not None and not held:
        raise ConfigurationError(f"--holdout {holdout!r} matches no picture id; ids look like {samples[0].id!r}")
    kept = {s.id for s in held}
    rest = [s for s in samples if s.id not in kept][:limit]
    if not rest:
        raise ConfigurationError(f"--holdout {holdout!r} leaves no picture to train on")
    return rest, held


def _plain(value: Any) -> Any:
    """Turn tuples into lists, so that a configuration equals itself after a trip through JSON."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
