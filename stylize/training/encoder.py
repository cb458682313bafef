"""`train-encoder`: from a folder of pictures and a generator to a model bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor, nn

from stylize.curveplot import Panel
from stylize.errors import ConfigurationError
from stylize.images import encode
from stylize.models.bundle import Bundle, best_device, load_bundle, load_generator, make_encoder, model_sha256
from stylize.models.generator import Generator
from stylize.models.kinds import config_to_dict
from stylize.models.perceptual import FeatureDistance, LpipsDistance, cached_trunk, perceptual_distance
from stylize.models.protocol import GeneratorProtocol
from stylize.models.resize import resized
from stylize.storage import Storage
from stylize.training.config import EncoderTraining
from stylize.training.events import Say, TrainingEvent, note, silent
from stylize.training.grid import swap_grid
from stylize.training.inputs import find_inputs, load_pictures, picture_folder
from stylize.training.loop import TrainingLoop
from stylize.training.pictures import TrainingPictures
from stylize.training.record import TrainingRecord
from stylize.training.team import ALONE, Team
from stylize.training.trainer import EncoderTrainer

__all__ = ["TrainingEvent", "TrainingSummary", "heldout_psnr", "train_encoder"]

HELD_OUT_BATCH = 16
GRID_PICTURES = 6
PANELS = (Panel(title="held-out PSNR, dB", figures=("heldout_psnr",)),)


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """What a finished run gives: where the bundle is, how good it is, and `(id, reason)` of unreadable pictures."""

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
    new_generator: Any | None = None,
    size: tuple[int, int] | None = None,
    tune_generator: bool = False,
    extra: Sequence[str] = (),
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    holdout: str | None = None,
    lpips_trunk: Path | None = None,
    picture_cache: Path | None = None,
    checkpoint_minutes: float = 3.0,
    device: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Say | None = None,
    team: Team = ALONE,
) -> TrainingSummary:
    """Train the masked noise encoder for a generator; a second call with the same arguments continues the run.

    Args:
        dataset: folder or URL of pictures; labels are not looked at.
        out: folder or URL of the run, see `stylize.training.record`.
        training: losses, masking, schedules; its encoder's `noise_downscale` also decides at which block a generator
            given by file takes the noise maps.
        generator: file of the generator to invert; `init` a bundle to continue from, whose encoder keeps its shape;
            `new_generator` the configuration of a generator to make from scratch, of any kind (see
            `stylize.models.kinds.new_config`), which needs `tune_generator`. Exactly one of the three.
        size: height and width that the bundle of `init` is brought to first, see `stylize.models.resize`.
        tune_generator: train the synthesis network along with the encoder.
        extra: further datasets of any layout to train on, such as style exemplars that the codes shall reach.
        holdout: pattern of picture ids (such as `*0006R0*`) kept out of training; their PSNR is reported.
        lpips_trunk: torchvision's VGG16 weights; without them, here or in torchvision's download cache,
            EfficientNet-Lite0 features are the perceptual loss.
        picture_cache: folder for the decoded pictures, beside the run by default, see `stylize.training.decoded`.
        checkpoint_minutes: how often to save what a resumed run goes on from.
        team: the processes that train together; each calls this function with the same arguments.

    Raises:
        ConfigurationError: the arguments contradict each other or the run that `out` holds.
        FatalError: no readable pictures, no weights, or the losses are no longer finite.
    """
    say = on_event if on_event and team.leads else silent
    _check_start(generator, init, new_generator, size, tune_generator=tune_generator)
    bundle = _starting_bundle(training, generator, init, new_generator, size, storage_options).to(best_device(device))
    training = training.with_(encoder=bundle.encoder.config)
    _check_generated(bundle.generator, training)
    inputs = find_inputs(
        dataset, layout=layout, split=split, limit=limit, holdout=holdout, extra=extra, storage_options=storage_options
    )
    perceptual = _perceptual(training, lpips_trunk, say)
    record = TrainingRecord(Storage(out, storage_options))
    configuration = {
        "kind": "train-encoder",
        "training": training.as_dict(),
        "generator": config_to_dict(bundle.generator_config),
        "tune_generator": tune_generator,
        "start": {"generator": _sha256(generator, storage_options), "init": _sha256(init, storage_options)},
        "perceptual": perceptual.name if perceptual else None,
        "holdout": holdout,
        "inputs": {"pictures": len(inputs.training), "sha256": inputs.sha256},
    }
    team.together(lambda: record.begin(configuration, overwrite=overwrite))
    folder = picture_folder(record.storage, picture_cache)
    pictures, unreadable = load_pictures(inputs.training, bundle.height, bundle.width, folder, say, team=team)
    heldout = None
    if inputs.heldout:
        kept_apart = [(inputs.dataset, sample) for sample in inputs.heldout]
        heldout, worse = load_pictures(kept_apart, bundle.height, bundle.width, folder, say, scale=1, team=team)
        unreadable += worse
    _channels_last(bundle, perceptual)
    trainer = EncoderTrainer(bundle, pictures, training, perceptual, tune_generator=tune_generator, team=team)
    evaluation = Evaluation(trainer, record, heldout, PurePosixPath(inputs.dataset.storage.url).name)
    loop = TrainingLoop(
        trainer,
        record,
        checkpoint_minutes=checkpoint_minutes,
        evaluate=evaluation,
        say=say,
        panels=PANELS,
        team=team,
    )
    figures = loop.run()
    return TrainingSummary(
        bundle=record.storage.locate(record.weights),
        images=trainer.images,
        heldout_psnr=figures.get("heldout_psnr"),
        unreadable=unreadable,
    )


class Evaluation:
    """Measures the averaged weights, draws what they do, and writes them as a bundle with what is known of them."""

    def __init__(
        self, trainer: EncoderTrainer, record: TrainingRecord, heldout: TrainingPictures | None, dataset: str
    ) -> None:
        self.trainer, self.record, self.heldout, self.dataset = trainer, record, heldout, dataset

    def __call__(self) -> dict[str, float]:
        """Return `heldout_psnr` in dB, or nothing when no picture is held out."""
        trainer, average = self.trainer, self.trainer.average
        psnr = heldout_psnr(average, self.heldout) if self.heldout else None
        shown = self.heldout if self.heldout and len(self.heldout) >= GRID_PICTURES else trainer.pictures
        count = min(len(shown), GRID_PICTURES)
        grid = swap_grid(average, shown.whole([i * len(shown) // count for i in range(count)]))
        self.record.save_grid(trainer.images, encode(grid, "png"))
        average.card = {
            "dataset": self.dataset,
            "images": trainer.images,
            "training": trainer.training.as_dict(),
            "tune_generator": trainer.tune_generator,
            "heldout_psnr": psnr,
        }
        self.record.save_weights(average.to_bytes())
        return {} if psnr is None else {"heldout_psnr": psnr}


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


def _check_start(
    generator: str | None,
    init: str | None,
    new_generator: Any | None,
    size: tuple[int, int] | None,
    *,
    tune_generator: bool,
) -> None:
    if sum(x is not None for x in (generator, init, new_generator)) != 1:
        raise ConfigurationError(
            "what shall the encoder invert? give one of a generator's file (--generator), a model bundle to continue "
            "from (--init) and the size of a new generator (--new-generator)"
        )
    if new_generator is not None and not tune_generator:
        raise ConfigurationError("a new generator knows no pictures yet: it needs --tune-generator")
    if size is not None and init is None:
        raise ConfigurationError("--size goes with --init; the size of a new generator stands in --new-generator")
    if size is not None and not tune_generator:
        raise ConfigurationError("a model of another size must learn its new pixels: --size needs --tune-generator")


def _check_generated(generator: GeneratorProtocol, training: EncoderTraining) -> None:
    if training.generated and not hasattr(generator, "mapping"):
        raise ConfigurationError(
            "this kind of generator has no latent to draw pictures from: train on real ones alone, with `generated` 0 "
            "(--preset light)"
        )


def _starting_bundle(
    training: EncoderTraining,
    generator: str | None,
    init: str | None,
    new_generator: Any | None,
    size: tuple[int, int] | None,
    storage_options: Mapping[str, Any] | None,
) -> Bundle:
    if init is not None:
        loaded_bundle = load_bundle(init, device="cpu", storage_options=storage_options)
        return loaded_bundle if size is None else resized(loaded_bundle, size)
    if generator is not None:
        loaded = load_generator(generator, device="cpu", storage_options=storage_options)
        return _with_encoder(_taking_noise_at(loaded, training.encoder.noise_downscale), training)
    assert new_generator is not None
    return Bundle.create(new_generator, training.encoder, seed=training.seed)


def _taking_noise_at(generator: GeneratorProtocol, downscale: int) -> GeneratorProtocol:
    """Return a StyleGAN2 with its noise maps at another block; its weights are the same at every scale."""
    if not isinstance(generator, Generator) or generator.config.noise_downscale == downscale:
        return generator
    moved = Generator(replace(generator.config, noise_downscale=downscale))
    moved.load_state_dict(generator.state_dict())
    return moved


def _with_encoder(generator: GeneratorProtocol, training: EncoderTraining) -> Bundle:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        return Bundle(make_encoder(training.encoder, generator), generator)


def _sha256(model: str | None, storage_options: Mapping[str, Any] | None) -> str | None:
    return None if model is None else model_sha256(model, storage_options=storage_options)


def _perceptual(training: EncoderTraining, trunk: Path | None, say: Say) -> FeatureDistance | LpipsDistance | None:
    """Load the perceptual loss, and say in one line which one it is and why."""
    if not training.perceptual:
        return None
    cached = cached_trunk() if trunk is None else None
    distance = perceptual_distance(trunk)
    if isinstance(distance, LpipsDistance):
        say(note(f"perceptual loss: LPIPS with the VGG16 trunk {trunk or cached}"))
    else:
        say(note("perceptual loss: EfficientNet-Lite0 features, because no VGG16 trunk is given (--lpips-trunk)"))
    return distance


def _channels_last(bundle: Bundle, perceptual: nn.Module | None) -> None:
    for module in (bundle, perceptual):
        if module is not None:
            module.to(bundle.device).to(memory_format=torch.channels_last)
