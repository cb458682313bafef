"""Light and weather as parameters: one `Condition` turns a scene into a day, dusk, night, fog, rain or snow picture."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

RGB = tuple[float, float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """Everything about a picture that is not the scene; light is linear RGB, angles are degrees, shares are 0..1."""

    name: str = "day"
    sun_elevation: float = 48.0
    sun_azimuth: float = -60.0  # from the viewing direction, positive to the right
    sun: RGB = (3.1, 2.85, 2.45)  # direct light
    ambient: RGB = (0.82, 0.95, 1.15)  # light from the whole sky on a level surface
    zenith: RGB = (0.16, 0.34, 0.80)  # colour of the sky overhead
    horizon: RGB = (0.72, 0.85, 1.0)
    cloud: RGB = (1.25, 1.25, 1.28)
    cloud_cover: float = 0.45
    exposure: float = 0.56
    fog_density: float = 0.0009  # per metre: transmittance after z metres is exp(-density z)
    fog: RGB = (0.75, 0.85, 1.0)
    wetness: float = 0.0
    rain: float = 0.0  # density of streaks
    snow: float = 0.0  # share of the ground covered
    flakes: float = 0.0  # density of flakes in the air
    lamps: float = 0.0  # brightness of street lamps
    headlights: float = 0.0  # brightness of vehicle lights
    windows: float = 0.0  # share of lit windows
    saturation: float = 1.0
    grain: float = 0.003  # standard deviation of sensor noise, of full scale
    seed: int = 0  # places clouds, streaks, flakes and lit windows

    @staticmethod
    def sample(name: str, seed: int) -> Condition:
        """Draw a small variation of a preset; raises `ValueError` naming the known ones."""
        if name not in PRESETS:
            raise ValueError(f"unknown condition {name!r}: choose one of {', '.join(PRESETS)}")
        base = PRESETS[name]
        rng = np.random.default_rng([seed, *name.encode()])
        side = 1.0 if rng.random() < 0.5 else -1.0
        return dataclasses.replace(
            base,
            sun_elevation=base.sun_elevation * rng.uniform(0.85, 1.15),
            sun_azimuth=side * abs(base.sun_azimuth) * rng.uniform(0.6, 1.4),
            sun=_vary(base.sun, rng, 0.15, 0.04),
            ambient=_vary(base.ambient, rng, 0.12, 0.03),
            zenith=_vary(base.zenith, rng, 0.15, 0.08),
            horizon=_vary(base.horizon, rng, 0.12, 0.07),
            cloud_cover=float(np.clip(base.cloud_cover + rng.uniform(-0.25, 0.25), 0, 1)),
            exposure=base.exposure * rng.uniform(0.9, 1.1),
            fog_density=base.fog_density * math.exp(rng.uniform(-0.3, 0.3)),
            fog=_vary(base.fog, rng, 0.06, 0.03),
            wetness=base.wetness * rng.uniform(0.85, 1.0),
            rain=base.rain * rng.uniform(0.5, 1.3),
            snow=base.snow * rng.uniform(0.85, 1.0),
            flakes=base.flakes * rng.uniform(0.5, 1.3),
            lamps=base.lamps * rng.uniform(0.8, 1.2),
            windows=base.windows * rng.uniform(0.7, 1.3),
            seed=seed,
        )


def _vary(colour: RGB, rng: np.random.Generator, level: float, tint: float) -> RGB:
    """Change a colour's level and, less, its hue."""
    gain = math.exp(rng.uniform(-level, level))
    red, green, blue = (float(c * gain * math.exp(rng.uniform(-tint, tint))) for c in colour)
    return (red, green, blue)


PRESETS: dict[str, Condition] = {
    "day": Condition(),
    "dusk": Condition(
        name="dusk",
        sun_elevation=7.0,
        sun_azimuth=28.0,
        sun=(1.9, 0.72, 0.22),
        ambient=(0.34, 0.28, 0.40),
        zenith=(0.10, 0.15, 0.42),
        horizon=(1.55, 0.62, 0.22),
        cloud=(0.80, 0.30, 0.24),
        cloud_cover=0.45,
        exposure=0.78,
        fog_density=0.0022,
        fog=(0.80, 0.42, 0.27),
        lamps=0.35,
        headlights=0.6,
        windows=0.22,
        grain=0.005,
    ),
    "night": Condition(
        name="night",
        sun_elevation=55.0,
        sun_azimuth=70.0,
        sun=(0.010, 0.013, 0.022),
        ambient=(0.020, 0.025, 0.044),
        zenith=(0.004, 0.007, 0.018),
        horizon=(0.030, 0.028, 0.036),
        cloud=(0.030, 0.027, 0.030),
        cloud_cover=0.4,
        exposure=1.35,
        fog_density=0.0025,
        fog=(0.020, 0.019, 0.024),
        lamps=1.0,
        headlights=1.0,
        windows=0.36,
        grain=0.008,
    ),
    "fog": Condition(
        name="fog",
        sun=(0.12, 0.12, 0.11),
        ambient=(0.95, 0.97, 1.0),
        zenith=(0.66, 0.69, 0.72),
        horizon=(0.78, 0.80, 0.82),
        cloud=(0.75, 0.77, 0.8),
        cloud_cover=1.0,
        exposure=0.62,
        fog_density=0.034,
        fog=(0.80, 0.82, 0.84),
        wetness=0.15,
        headlights=0.7,
        windows=0.08,
        saturation=0.85,
    ),
    "rain": Condition(
        name="rain",
        sun=(0.03, 0.03, 0.03),
        ambient=(0.56, 0.60, 0.66),
        zenith=(0.36, 0.39, 0.44),
        horizon=(0.66, 0.69, 0.73),
        cloud=(0.27, 0.29, 0.33),
        cloud_cover=0.9,
        exposure=0.74,
        fog_density=0.0065,
        fog=(0.52, 0.55, 0.60),
        wetness=1.0,
        rain=1.0,
        lamps=0.10,
        headlights=0.85,
        windows=0.14,
        saturation=0.88,
        grain=0.004,
    ),
    "snow": Condition(
        name="snow",
        sun=(0.10, 0.10, 0.10),
        ambient=(0.92, 0.97, 1.06),
        zenith=(0.62, 0.66, 0.72),
        horizon=(0.80, 0.83, 0.87),
        cloud=(0.72, 0.75, 0.8),
        cloud_cover=1.0,
        exposure=0.66,
        fog_density=0.0085,
        fog=(0.80, 0.83, 0.88),
        wetness=0.25,
        snow=1.0,
        flakes=1.0,
        headlights=0.5,
        windows=0.10,
        saturation=0.9,
    ),
}
CONDITIONS = tuple(PRESETS)
