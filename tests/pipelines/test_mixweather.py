"""What a mix does after the colours: by every method, from the plan alone, and told in the provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.events import Event, Note
from pipelines.invert import invert
from pipelines.mix import mix, resume
from pipelines.provenance import read_rows
from pipelines.report import report
from pipelines.summary import Summary
from pipelines.verify import verify
from stylize.blur import add_blur, sharpness_of
from stylize.cover import add_cover, cover_of, scene_of
from stylize.errors import ConfigurationError
from stylize.grain import add_grain, grain_of
from stylize.haze import add_haze, haze_of
from stylize.images import decode_rgb, encode
from stylize.particles import add_particles, particles_of
from stylize.storage import Storage
from stylize.uneven import make_uneven
from tests.pipelines.helpers import picture, tree, write_dataset

HEIGHT, WIDTH = 90, 120


@pytest.fixture
def run(tmp_path: Path, tiny_model: str) -> Any:
    """Mix three pictures with two exemplars, noisy and dim at the horizon, into `tmp_path / name`."""
    data, noisy = write_dataset(tmp_path / "data", ["0001TP_0", "0001TP_1", "0001TP_2"]), tmp_path / "noisy"
    noisy.mkdir()
    for number in range(2):
        noise_HW = np.random.default_rng(number).normal(0, 12, (HEIGHT, WIDTH))
        seen_H11 = np.minimum(1, 3 * np.abs(np.linspace(0, 1, HEIGHT) - 0.45))[:, None, None]
        clear = picture(number, HEIGHT, WIDTH) / 2 + 60 + noise_HW[..., None]
        rgb = np.clip(180 + (clear - 180) * seen_H11, 0, 255).astype(np.uint8)
        (noisy / f"{number}.png").write_bytes(encode(rgb, "png"))
    checks = (np.indices((HEIGHT, WIDTH)).sum(0) // 4 % 2).astype(np.uint8)[..., None]
    for path in sorted((data / "train").iterdir()):
        large = picture(len(path.name), HEIGHT, WIDTH) // 3 + 60 + 90 * checks
        path.write_bytes(encode(large, "png"))
        (data / "trainannot" / path.name).write_bytes(encode(large // 32, "png"))
    for name in ("data", "noisy"):
        invert(tmp_path / name, tmp_path / f"{name}-cache", model=tiny_model, device="cpu")

    def start(name: str = "out", **options: Any) -> Summary:
        how = {"styles": tmp_path / "noisy-cache", "min_content_score": 0.0, **options}
        return mix(tmp_path / "data-cache", tmp_path / name, **how)

    return start


def provenance(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("provenance/*.parquet")) for row in read_rows(path.read_bytes())]


@pytest.mark.parametrize("method", ["stylization", "reinhard"])
def test_pictures_are_those_without_grain_with_the_grain_of_their_exemplar(
    run: Any, tmp_path: Path, method: str
) -> None:
    run(method=method, grain=0.5)
    run("plain", method=method)
    for row, plain in zip(provenance(tmp_path / "out"), provenance(tmp_path / "plain"), strict=True):
        assert (row["grain"], plain["grain"]) == (0.5, 0.0)
        exemplar = decode_rgb((tmp_path / "noisy" / row["exemplar_source"]).read_bytes())
        without = decode_rgb((tmp_path / "plain" / plain["image"]).read_bytes())
        made = decode_rgb((tmp_path / "out" / row["image"]).read_bytes())
        assert np.array_equal(made, add_grain(without, grain_of(exemplar, HEIGHT), 0.5, row["seed"]))
        assert not np.array_equal(made, without)


@pytest.mark.parametrize("method", ["stylization", "reinhard"])
def test_a_copy_is_hazed_then_covered_and_made_uneven_in_the_end(run: Any, tmp_path: Path, method: str) -> None:
    run(method=method, uneven=0.2, cover=0.7, haze=1.0)
    run("plain", method=method)
    for row, plain in zip(provenance(tmp_path / "out"), provenance(tmp_path / "plain"), strict=True):
        assert (row["uneven"], plain["uneven"], row["cover"], plain["cover"]) == (0.2, 0.0, 0.7, 0.0)
        content, exemplar, without, made = (
            decode_rgb(path.read_bytes())
            for path in (
                tmp_path / "data" / row["content_source"],
                tmp_path / "noisy" / row["exemplar_source"],
                tmp_path / "plain" / plain["image"],
                tmp_path / "out" / row["image"],
            )
        )
        hazed = add_haze(without, haze_of(exemplar), 1.0)
        covered = add_cover(hazed, scene_of(content), cover_of(exemplar), 0.7, row["seed"])
        assert not np.array_equal(covered, hazed)
        assert not np.array_equal(made, covered)
        assert np.array_equal(made, make_uneven(covered, content, 0.2, row["seed"]))


def test_the_guard_looks_at_a_copy_before_its_style_is_uneven(run: Any, tmp_path: Path) -> None:
    for name, uneven in (("plain", 0.0), ("out", 1.0)):
        run(name, uneven=uneven, min_content_score=0.01)
    plain, uneven_rows = provenance(tmp_path / "plain"), provenance(tmp_path / "out")
    assert [row["content_score"] for row in uneven_rows] == [row["content_score"] for row in plain]
    assert [row["sha256"] for row in uneven_rows] != [row["sha256"] for row in plain]


def test_the_synthesis_itself_can_be_uneven_and_covered(run: Any, tmp_path: Path) -> None:
    run("plain", size="model")
    run("uneven", size="model", uneven=0.3)
    run("covered", size="model", cover=1.0)
    plain, *others = (tree(tmp_path / name / "train") for name in ("plain", "uneven", "covered"))
    assert all(other.keys() == plain.keys() and other != plain for other in others)


@pytest.mark.parametrize("method", ["stylization", "reinhard"])
def test_haze_comes_before_blur_and_blur_before_grain(run: Any, tmp_path: Path, method: str) -> None:
    run(method=method, grain=1.0, haze=0.8, blur=0.9)
    run("plain", method=method)
    changed = 0
    for row, plain in zip(provenance(tmp_path / "out"), provenance(tmp_path / "plain"), strict=True):
        assert (row["haze"], plain["haze"], row["blur"], plain["blur"]) == (0.8, 0.0, 0.9, 0.0)
        exemplar = decode_rgb((tmp_path / "noisy" / row["exemplar_source"]).read_bytes())
        without = decode_rgb((tmp_path / "plain" / plain["image"]).read_bytes())
        made = decode_rgb((tmp_path / "out" / row["image"]).read_bytes())
        hazed = add_haze(without, haze_of(exemplar), 0.8)
        soft = add_blur(hazed, sharpness_of(exemplar, HEIGHT), 0.9)
        changed += not np.array_equal(hazed, without) and not np.array_equal(soft, hazed)
        assert np.array_equal(made, add_grain(soft, grain_of(exemplar, HEIGHT), 1.0, row["seed"]))
    assert changed


@pytest.mark.parametrize("method", ["stylization", "reinhard"])
def test_what_falls_before_an_exemplar_comes_with_its_grain(
    run: Any, tmp_path: Path, tiny_model: str, method: str
) -> None:
    rng = np.random.default_rng(0)
    snowy = np.clip(rng.normal(80, 6, (240, 320, 1)), 0, 255).repeat(3, -1).astype(np.uint8)
    for y, x in rng.integers(0, (237, 317), (600, 2)):
        snowy[y : y + 3, x : x + 3] = 230
    (tmp_path / "snowy").mkdir()
    (tmp_path / "snowy" / "0.png").write_bytes(encode(snowy, "png"))
    styles = tmp_path / "snowy-cache"
    invert(tmp_path / "snowy", styles, model=tiny_model, device="cpu")
    run(method=method, styles=styles, grain=1.0)
    run("plain", method=method, styles=styles)
    falling, grain = particles_of(snowy), grain_of(snowy, HEIGHT)
    for row in provenance(tmp_path / "out"):
        without, made = (decode_rgb((tmp_path / name / row["image"]).read_bytes()) for name in ("plain", "out"))
        snowing = add_particles(without, falling, 1.0, row["seed"])
        assert not np.array_equal(snowing, without)
        assert np.array_equal(made, add_grain(snowing, grain, 1.0, row["seed"]))


def test_weather_is_haze_cover_blur_and_grain_together(run: Any, tmp_path: Path) -> None:
    run(weather=0.5, blur=1.0)
    run("each", haze=0.5, cover=0.5, blur=1.0, grain=0.5)
    assert tree(tmp_path / "out" / "train") == tree(tmp_path / "each" / "train")
    assert run("each", weather=0.5, blur=1.0).rows == 3  # one run, however it is spelled


@pytest.mark.parametrize(("options", "told"), [({}, True), ({"grain": 0.1}, False), ({"weather": 0.1}, False)])
def test_that_exemplars_give_colours_alone_is_told(run: Any, options: dict[str, Any], told: bool) -> None:
    events: list[Event] = []
    run(on_event=events.append, **options)
    assert any(isinstance(event, Note) and "--weather 1" in event.text for event in events) == told


def test_weather_goes_with_the_strength_of_the_style(run: Any, tmp_path: Path) -> None:
    run("none", uneven=0.5, weather=1.0, strength=0.0)
    run("plain", strength=0.0)
    assert tree(tmp_path / "none" / "train") == tree(tmp_path / "plain" / "train")


def test_a_second_run_goes_on_and_verify_makes_the_same_weather_again(run: Any, tmp_path: Path) -> None:
    run(grain=1.0, haze=1.0)
    before = tree(tmp_path / "out" / "train")
    (tmp_path / "out" / "train" / "0001TP_1.png").unlink()
    repaired = verify(tmp_path / "out", repair=True)
    assert repaired.exit_code == 0
    assert tree(tmp_path / "out" / "train") == before
    assert resume(Storage(tmp_path / "out").read_json("run.json"), str(tmp_path / "out")).rows == 3
    with pytest.raises(ConfigurationError, match="grain is 1"):
        run(grain=0.5, haze=1.0)
    with pytest.raises(ConfigurationError, match="haze is 1"):
        run(grain=1.0)
    with pytest.raises(ConfigurationError, match="blur"):
        run(grain=1.0, haze=1.0, blur=1.0)


def test_an_exemplar_that_is_gone_is_bad_input_and_nothing_of_its_contents_is_written(run: Any, tmp_path: Path) -> None:
    plain = run("plain")
    assert plain.rows == 3
    lost = provenance(tmp_path / "plain")[0]["exemplar_source"]
    (tmp_path / "noisy" / lost).unlink()
    summary = run(grain=1.0)
    failed = [row["content"] for row in provenance(tmp_path / "plain") if row["exemplar_source"] == lost]
    assert (summary.failed, summary.exit_code) == (len(failed), 3)
    assert not any((tmp_path / "out" / f"{name}.png").exists() for name in failed)
    assert run("without", grain=0.0).failed == 0


def test_the_report_names_the_grain(run: Any, tmp_path: Path) -> None:
    run(grain=0.5)
    assert "grain 0.5" in Path(report(tmp_path / "out")).read_text()


@pytest.mark.parametrize("name", ["cover", "grain", "haze", "blur"])
def test_weather_is_between_none_and_all(run: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the {name} is between 0"):
        run(**{name: 1.5})


@pytest.mark.parametrize("amount", [-0.1, 1.1])
def test_a_style_varies_by_no_more_than_itself(run: Any, amount: float) -> None:
    with pytest.raises(ConfigurationError, match="varies over a picture by 0"):
        run(uneven=amount)


def test_without_blur_a_run_is_the_one_that_earlier_versions_recorded(run: Any, tmp_path: Path) -> None:
    run()
    assert not {"blur", "uneven", "cover"} & Storage(tmp_path / "out").read_json("run.json")["configuration"].keys()
    run("soft", blur=0.5, uneven=0.1, cover=1.0)
    run_json = Storage(tmp_path / "soft").read_json("run.json")
    assert [run_json["configuration"][name] for name in ("blur", "uneven", "cover")] == [0.5, 0.1, 1.0]
    (tmp_path / "soft" / "train" / "0001TP_1.png").unlink()
    assert verify(tmp_path / "soft", repair=True).exit_code == 0
    assert resume(run_json, str(tmp_path / "soft")).rows == 3
