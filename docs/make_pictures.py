"""Make the pictures of README and docs from rendered streets, by the very commands that these pages show.

    make pictures

Every line of `COMMANDS` stands on one of the pages, as `tests/docs` checks. The folder of the runs is kept, so that a
second call takes little time; remove it to begin anew. `report.jpg` needs Chromium, and is left as it is without.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import torch
from PIL import Image

import stylize
from cli.main import run
from stylize import scenes
from stylize.guard import content_score
from stylize.images import Pixels, decode_rgb, from_model, to_model
from stylize.render import recolour
from stylize.sheet import PAPER, Cell, contact_sheet
from stylize.truth import closeness

DOCS = Path(__file__).resolve().parent
FIRST, LIGHT = 103, 500  # the scenes of the contents and of the exemplars; the bundle `streets` has seen neither
WEATHER = ("dusk", "night", "fog", "rain", "snow")
COMMANDS = """
stylize scenes streets --count 4 --seed 103 --size 384x512
stylize scenes weather --count 1 --seed 500 --size 384x512 --no-labels --condition dusk --condition night --condition fog --condition rain --condition snow
stylize invert streets cache --model streets
stylize invert weather weather-cache --model streets
stylize mix cache stylized --styles weather-cache --per-image 5 --weather 1
stylize report stylized
stylize mix cache plain --styles weather-cache --per-image 5 --limit 1
stylize mix cache half --styles weather-cache --per-image 5 --limit 1 --strength 0.5
stylize mix cache beyond --styles weather-cache --per-image 5 --limit 1 --strength 1.5 --min-content-score 0
stylize mix cache far --styles weather-cache --per-image 5 --limit 1 --strength 2 --min-content-score 0
stylize mix cache coarse --styles weather-cache --per-image 5 --limit 1 --layers 0-2
stylize mix cache middle --styles weather-cache --per-image 5 --limit 1 --layers 3-6
stylize mix cache fine --styles weather-cache --per-image 5 --limit 1 --layers 7-11
stylize mix cache hazy --styles weather-cache --per-image 5 --limit 1 --haze 1
stylize mix cache grainy --styles weather-cache --per-image 5 --limit 1 --haze 1 --grain 1
stylize mix cache covered --styles weather-cache --per-image 5 --limit 1 --haze 1 --cover 1 --min-content-score 0
stylize mix cache uneven --styles weather-cache --per-image 5 --limit 1 --haze 1 --cover 1 --uneven 0.15 --min-content-score 0
stylize mix cache by-reinhard --styles weather-cache --per-image 5 --limit 1 --method reinhard
stylize mix cache by-histogram --styles weather-cache --per-image 5 --limit 1 --method histogram
stylize mix cache by-fda --styles weather-cache --per-image 5 --limit 1 --method fda
stylize mix cache by-adain --styles weather-cache --per-image 5 --limit 1 --method adain
"""  # noqa: E501
PALETTE = "87ceeb 8c8c8c c8a02d 5a3c78 b45ab4 3c8c3c dcc83c a0825a 3250b4 c83c3c 783c14 000000"  # by class, then void


def main() -> None:
    """Run the commands and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", nargs="?", type=Path, default=Path("build/pictures"), help="folder of the runs")
    work: Path = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    torch.set_num_threads(1)
    for command in COMMANDS.strip().splitlines():
        words = shlex.split(command)[1:]
        done = words[0] == "scenes" and Path(words[1]).exists()
        if not done and run(words):
            raise SystemExit(f"failed: {command}")
    scenes.write_sheet(DOCS / "scenes.png")
    for draw in (styles, method, strength, layers, weather, cover, methods):
        save(draw.__name__, draw())
    screenshot(work)


def save(name: str, picture_HWC: Pixels) -> None:
    """Write a picture beside this script."""
    buffer = io.BytesIO()
    Image.fromarray(picture_HWC).save(buffer, "JPEG", quality=88, optimize=True)
    (DOCS / f"{name}.jpg").write_bytes(buffer.getvalue())
    print(f"docs/{name}.jpg: {len(buffer.getvalue()) // 1000} kB")


def read(path: str | Path) -> Pixels:
    """Read a picture of the runs."""
    return decode_rgb(Path(path).read_bytes())


def content() -> Pixels:
    """Return the street that the pictures show."""
    return read(f"streets/train/scene{FIRST:05d}_day.png")


def exemplar(name: str) -> Pixels:
    """Return the exemplar of a condition."""
    return read(f"weather/scene{LIGHT:05d}_{name}.png")


def output(folder: str, name: str) -> Pixels:
    """Return what a run made of the content with the exemplar of a condition, as its provenance knows."""
    rows = ds.dataset(f"{folder}/provenance").to_table(columns=["image", "content", "exemplar"]).to_pylist()
    wanted = (f"train/scene{FIRST:05d}_day", f"scene{LIGHT:05d}_{name}")
    return read(Path(folder, next(row["image"] for row in rows if (row["content"], row["exemplar"]) == wanted)))


@cache
def truth(name: str) -> Pixels:
    """Render the content as it truly looks in the exemplar's light and weather."""
    height, width, _ = content().shape
    return scenes.render(scenes.Scene.sample(FIRST), scenes.Condition.sample(name, LIGHT), height, width)


def label() -> Pixels:
    """Return the content's label in colours."""
    palette = np.frombuffer(bytes.fromhex(PALETTE), np.uint8).reshape(-1, 3)
    return np.asarray(palette[np.asarray(Image.open(f"streets/trainannot/scene{FIRST:05d}_day.png"))])


def blank() -> Pixels:
    """Return a cell that shows nothing."""
    return np.broadcast_to(np.array(PAPER, np.uint8), content().shape).copy()


def styles() -> Pixels:
    """Return a street in five styles, between their exemplars and the truth."""
    rows = [
        [
            Cell(picture=content(), caption="content"),
            *(Cell(picture=exemplar(name), caption="exemplar") for name in WEATHER),
        ],
        [Cell(picture=label(), caption="its label, in colours"), *(result("stylized", name) for name in WEATHER)],
        [Cell(picture=blank()), *(Cell(picture=truth(name), caption="true render") for name in WEATHER)],
    ]
    return contact_sheet(("day", *WEATHER), rows, width=190)


def result(folder: str, name: str, caption: str = "result") -> Cell:
    """Return an output with how near it is to the truth."""
    picture_HWC = output(folder, name)
    before, after = (closeness(one, truth(name))[0] for one in (content(), picture_HWC))
    return Cell(picture=picture_HWC, caption=f"{caption}, {before:.1f} to {after:.1f} dB")


def method() -> Pixels:
    """Return the steps from two pictures to a result, two exemplars below each other."""
    bundle = stylize.load_bundle("streets", device="cpu")
    titles = ("content", "reconstruction", "exemplar", "synthesis in its style", "result", "true render")
    rows = []
    for name in ("dusk", "snow"):
        pair = np.stack([to_model(one, bundle.height, bundle.width) for one in (content(), exemplar(name))])
        codes = bundle.invert(torch.from_numpy(pair))
        noise = [maps[:1] for maps in codes.noise]
        base, styled = (bundle.render(ws, noise).clamp(-1, 1)[0] for ws in (codes.ws_BLD[:1], codes.ws_BLD[1:]))
        pictures = (
            content(),
            small(base),
            exemplar(name),
            small(styled),
            recolour(content(), base, styled),
            truth(name),
        )
        captions = (
            "512x384",
            "w+ and noise maps of the content",
            name,
            "w+ of the exemplar",
            "colours only change",
            name,
        )
        rows.append([Cell(picture=one, caption=text) for one, text in zip(pictures, captions, strict=True)])
    return contact_sheet(titles, rows, width=190)


def small(image_CHW: torch.Tensor) -> Pixels:
    """Return a synthesis, enlarged without smoothing, so that its own pixels show."""
    return from_model(image_CHW.numpy()).repeat(4, 0).repeat(4, 1)


def strength() -> Pixels:
    """Return exemplars and results of growing strength, with their content scores."""
    runs = {"0.5": "half", "1": "plain", "1.5": "beyond", "2": "far"}
    rows = []
    for name in ("dusk", "night", "fog"):
        pictures = [output(folder, name) for folder in runs.values()]
        scored = [Cell(picture=one, caption=f"content score {content_score(content(), one):.2f}") for one in pictures]
        rows.append([Cell(picture=content()), Cell(picture=exemplar(name), caption=name), *scored])
    return contact_sheet(("content", "exemplar", *(f"strength {s}" for s in runs)), rows, width=190)


def layers() -> Pixels:
    """Return results of groups of codes."""
    runs = {"coarse: 0-2": "coarse", "middle: 3-6": "middle", "fine: 7-11": "fine", "all": "plain"}
    rows = [
        [
            Cell(picture=content()),
            Cell(picture=exemplar(name), caption=name),
            *(result(run, name) for run in runs.values()),
        ]
        for name in ("dusk", "night")
    ]
    return contact_sheet(("content", "exemplar", *runs), rows, width=190)


def weather() -> Pixels:
    """Return crops without and with the haze and the grain of their exemplars."""
    rows = []
    for name in ("fog", "rain", "snow", "night"):
        made = (output(folder, name) for folder in ("plain", "hazy", "grainy"))
        pictures = exemplar(name), *made, truth(name)
        rows.append([Cell(picture=crop(one), caption="" if n else name) for n, one in enumerate(pictures)])
    titles = ("exemplar", "neither", "--haze 1", "--haze 1 --grain 1", "true render")
    return contact_sheet(titles, rows, width=240)


def cover() -> Pixels:
    """Return results without and with what covers sky and ground, and with an uneven style too."""
    runs = {"--haze 1": "hazy", "--haze 1 --cover 1": "covered", "and --uneven 0.15": "uneven"}
    rows = []
    for name in ("snow", "night", "dusk"):
        made = (result(folder, name) for folder in runs.values())
        rows.append([Cell(picture=exemplar(name), caption=name), *made, Cell(picture=truth(name))])
    return contact_sheet(("exemplar", *runs, "true render"), rows, width=240)


def crop(picture_HWC: Pixels) -> Pixels:
    """Return the middle of a picture at its own pixels."""
    return picture_HWC[90:270, 116:396]


def methods() -> Pixels:
    """Return what each method makes of the same pairs."""
    runs = {"stylization": "plain", **{name: f"by-{name}" for name in ("reinhard", "histogram", "fda", "adain")}}
    rows = [
        [Cell(picture=exemplar(name), caption=name), *(result(folder, name) for folder in runs.values())]
        for name in ("dusk", "fog", "night")
    ]
    return contact_sheet(("exemplar", *runs), rows, width=190)


def screenshot(work: Path) -> None:
    """Photograph the top of the report, with `~` for the folder that the runs happen to be in."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("no Chromium: docs/report.jpg stays as it is")
        return
    page, shot = work / "report.html", work / "report.png"
    text = (work / "stylized" / "report.html").read_text("utf-8")
    page.write_text(text.replace(str(work), "~"), "utf-8")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,1500", f"--screenshot={shot}"]
    subprocess.run([browser, *options, page.as_uri()], check=True, capture_output=True, timeout=300)
    save("report", decode_rgb(shot.read_bytes()))


if __name__ == "__main__":
    main()
