from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stylize import scenes
from stylize.models.bundle import Bundle
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig
from stylize.models.perceptual import efficientnet_weights

SHAPE = GeneratorConfig(const_size=(2, 3), channels=(8, 8, 8, 4, 4), z_dim=8, w_dim=8)
ENCODER = EncoderConfig(stem=4, widths=(8, 8, 8, 8), pyramid=8, head=8)


def reference() -> Bundle:
    from reference_layout import reference_bundle

    return reference_bundle(SHAPE, ENCODER, seed=3).eval()


def test_the_fused_synthesis_draws_our_pictures() -> None:
    ours, other = Bundle.create(SHAPE, ENCODER, seed=3).eval(), reference()
    for module in (ours, other):
        torch.manual_seed(0)
        for layer in module.generator.modules():
            if hasattr(layer, "noise_strength"):
                nn.init.constant_(layer.noise_strength, 0.3)
                nn.init.normal_(layer.bias)
    codes, *maps = torch.randn(3, SHAPE.num_ws, 8), *(torch.randn(3, *shape) for shape in SHAPE.noise_shapes)
    for noise in (maps, None):
        torch.testing.assert_close(other.render(codes, noise), ours.render(codes, noise), rtol=1e-4, atol=1e-5)


def test_every_code_has_a_tower_of_its_own_down_to_one_pixel() -> None:
    encoder = reference().encoder
    towers = [tower for head in encoder.style.values() for tower in head.towers]
    assert len(towers) == SHAPE.num_ws
    # At 32x48 the levels are 2x3, 4x6 and 8x12.
    strides = [sum(isinstance(layer, nn.Conv2d) for layer in tower.convs) for tower in towers]
    assert strides == [2] * 3 + [3] * 4 + [4] * (SHAPE.num_ws - 7)
    codes = encoder(torch.randn(2, 3, 32, 48))
    assert codes.ws_BLD.shape == (2, SHAPE.num_ws, 8)
    codes.ws_BLD[:, 4].sum().backward()
    assert [bool(tower.linear.weight.grad.any()) for tower in towers] == [i == 4 for i in range(len(towers))]


def test_the_time_of_a_module_within_another_counts_for_itself() -> None:
    from model_layout import timed

    class Busy(nn.Module):
        def __init__(self, seconds: float, inner: nn.Module | None = None) -> None:
            super().__init__()
            self.seconds, self.inner = seconds, inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            end = time.process_time() + self.seconds
            while time.process_time() < end:
                pass
            return x if self.inner is None else self.inner(x)

    inner = Busy(0.05)
    outer = Busy(0.01, inner)
    spent = dict.fromkeys(("inside", "outside"), 0.0)
    with timed({inner: "inside", outer: "outside"}, spent):
        outer(torch.zeros(1))
    outer(torch.zeros(1))  # no longer watched
    assert 0.05 <= spent["inside"] < 0.1
    assert 0.01 <= spent["outside"] < 0.05


def test_the_profile_of_both_layouts_has_the_same_parts() -> None:
    import model_layout

    ours = Bundle.create(SHAPE, ENCODER)
    pair = {"ours": ours, "reference": reference()}
    found = model_layout.measure_parts(pair, batch=1, rounds=1)
    assert list(found["ours"]) == list(found["reference"])
    assert {"pyramid", "w+ heads", "noise heads", "colour", "synthesis at 2x3", "synthesis at 32x48"} <= set(
        found["ours"]
    )


def test_speed_is_told_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    import model_layout

    monkeypatch.setattr(
        model_layout, "bundles", lambda *_: {"ours": Bundle.create(SHAPE, ENCODER), "reference": reference()}
    )
    row = model_layout.measure("light", (32, 48), {1: 1, 4: 1})
    assert [speed["batch"] for speed in row["speed"]] == [1, 4]
    text = model_layout.report({"machine": "here", "speed": [row], "reconstruction": []})
    assert "| light 32x48 | 4 |" in text


@pytest.mark.timeout(600)  # seconds of work, which a busy machine stretches
@pytest.mark.skipif(efficientnet_weights() is None, reason="needs stylize[train]")
def test_both_layouts_are_trained_on_the_same_pictures_and_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import model_layout

    scenes.write_dataset(tmp_path / "data", count=3, height=48, width=64, conditions=["day"], seed=1)
    monkeypatch.setattr(model_layout.recipes, "LIGHT", model_layout.recipes.LIGHT.with_(encoder=ENCODER))
    monkeypatch.setattr(model_layout, "generator_for", lambda _: SHAPE)
    out = tmp_path / "results"
    arguments = ["reconstruction", "--work", tmp_path / "work", "--dataset", tmp_path / "data", "--images", 8]
    arguments += ["--holdout", "*scene00001*", "--seeds", 0, "--out", out]
    monkeypatch.setattr(sys, "argv", ["model_layout", *map(str, arguments)])
    model_layout.main()
    runs: list[dict[str, Any]] = json.loads(out.with_suffix(".json").read_text())["reconstruction"]
    assert [run["layout"] for run in runs] == ["ours", "reference"]
    assert runs[0]["heldout_psnr"] != runs[1]["heldout_psnr"]
    shapes = [json.loads((tmp_path / "work" / f"{run['layout']}-8-0" / "run.json").read_text()) for run in runs]
    assert shapes[0] == shapes[1]
    assert f"| 0 | {runs[0]['heldout_psnr']:.2f} | {runs[1]['heldout_psnr']:.2f} |" in capsys.readouterr().out
    before = out.with_suffix(".json").read_bytes()
    monkeypatch.setattr(model_layout, "train_encoder", None)
    model_layout.main()  # finished trainings are not run again
    assert out.with_suffix(".json").read_bytes() == before
