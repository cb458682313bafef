"""Drawing a street from a seed: dense town, suburb or avenue."""

from __future__ import annotations

import numpy as np

from stylize.scenes.layout import RGB, Building, Car, Fence, Figure, Pole, Scene, Tree

FACADES: tuple[RGB, ...] = (  # linear albedo
    (0.30, 0.115, 0.07),
    (0.36, 0.17, 0.10),
    (0.46, 0.36, 0.22),
    (0.55, 0.47, 0.34),
    (0.62, 0.58, 0.50),
    (0.66, 0.55, 0.36),
    (0.42, 0.42, 0.40),
    (0.50, 0.30, 0.22),
    (0.38, 0.42, 0.46),
    (0.70, 0.68, 0.64),
    (0.24, 0.22, 0.20),
)
ROOFS: tuple[RGB, ...] = ((0.20, 0.08, 0.05), (0.09, 0.09, 0.10), (0.15, 0.11, 0.08), (0.13, 0.14, 0.16))
PAINTS: tuple[RGB, ...] = (
    (0.55, 0.56, 0.58),
    (0.30, 0.31, 0.33),
    (0.02, 0.02, 0.025),
    (0.75, 0.75, 0.73),
    (0.35, 0.02, 0.02),
    (0.03, 0.06, 0.25),
    (0.04, 0.16, 0.10),
    (0.10, 0.11, 0.12),
    (0.16, 0.25, 0.36),
    (0.60, 0.42, 0.06),
)
CLOTHES: tuple[RGB, ...] = (
    (0.03, 0.03, 0.05),
    (0.05, 0.07, 0.20),
    (0.45, 0.05, 0.05),
    (0.20, 0.20, 0.20),
    (0.55, 0.50, 0.42),
    (0.06, 0.22, 0.16),
    (0.70, 0.70, 0.72),
    (0.60, 0.35, 0.05),
    (0.12, 0.08, 0.05),
)
LEAVES: tuple[RGB, ...] = (
    (0.10, 0.17, 0.045),
    (0.14, 0.20, 0.05),
    (0.08, 0.145, 0.05),
    (0.19, 0.21, 0.06),
    (0.28, 0.17, 0.045),
)


def sample(seed: int) -> Scene:
    """Draw a street."""
    return _Sampler(seed).scene()


class _Sampler:
    """Draws one scene; each part has its own random stream so that parts can change without moving the others."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = self.stream(0)
        self.kind = str(rng.choice(["town", "suburb", "avenue"], p=[0.45, 0.25, 0.30]))
        self.lanes = int(rng.choice([2, 2, 2, 4])) if self.kind != "suburb" else 2
        self.parking = bool(rng.random() < 0.6)
        self.half = self.lanes * rng.uniform(1.55, 1.85) + (2.1 if self.parking else 0.3)
        self.lane_edge = self.half - (2.1 if self.parking else 0.3)
        self.pavement = float(rng.uniform(1.8, 3.4) + (1.6 if self.kind == "avenue" else 0))
        self.traffic = 1 if rng.random() < 0.6 else -1
        self.lane = self.lane_edge * (0.5 if self.lanes == 2 else float(rng.choice([0.25, 0.75])))
        self.openings = self._openings()

    def stream(self, part: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, part])

    def scene(self) -> Scene:
        rng = self.stream(1)
        grey = rng.uniform(0.22, 0.36)
        curved = rng.random() < 0.55
        spacing = float(rng.uniform(20, 30))
        return Scene(
            seed=self.seed,
            eye=float(rng.uniform(1.25, 1.9)),
            focal=float(rng.uniform(0.78, 1.08)),
            horizon=float(rng.uniform(0.40, 0.53)),
            shift=float(rng.uniform(-0.13, 0.13)),
            centre=-self.traffic * self.lane + float(rng.uniform(-0.4, 0.4)),
            curvature=float(rng.uniform(-1, 1) / 350) if curved else 0.0,
            half=self.half,
            pavement=self.pavement,
            lanes=self.lanes,
            paint=int(rng.integers(4)),
            crossing=float(rng.uniform(9, 26)) if rng.random() < 0.3 else 0.0,
            openings=self.openings,
            asphalt=float(rng.uniform(0.075, 0.15)),
            slab=(grey * 1.06, grey, grey * float(rng.uniform(0.84, 0.97))),
            grass=self.kind != "town",
            lamp_spacing=spacing,
            lamp_height=float(rng.uniform(5.5, 8.5)),
            lamp_start=float(rng.uniform(7, 7 + spacing)),
            backdrop=int(rng.integers(1 << 16)),
            buildings=tuple(self._row(-1) + self._row(1)),
            trees=tuple(self._trees()),
            cars=tuple(self._cars()),
            figures=tuple(self._figures()),
            poles=tuple(self._poles()),
            fences=tuple(self._fences()),
        )

    def _openings(self) -> tuple[tuple[int, float, float], ...]:
        rng = self.stream(2)
        found = []
        for side in (-1, 1):
            if rng.random() < 0.5:
                start = float(rng.uniform(14, 60))
                found.append((side, start, start + float(rng.uniform(6, 9))))
        return tuple(found)

    def blocked(self, side: int, start: float, end: float, margin: float = 1.0) -> bool:
        """Tell whether a stretch of the roadside lies in a side street."""
        return any(s == side and start < b + margin and end > a - margin for s, a, b in self.openings)

    def _row(self, side: int) -> list[Building]:
        rng = self.stream(10 + side)
        row: list[Building] = []
        z = float(rng.uniform(-9, -3))
        base = {"town": 11.0, "suburb": 6.0, "avenue": 9.0}[self.kind] * rng.uniform(0.8, 1.3)
        setback = {"town": 0.0, "suburb": 5.0, "avenue": 3.0}[self.kind] * rng.uniform(0.6, 1.3)
        while z < 175:
            length = float(rng.uniform(7, 20) if self.kind != "suburb" else rng.uniform(8, 13))
            gap = self._gap(rng)
            for opening in (o for o in self.openings if o[0] == side):
                if z < opening[2] and z + length > opening[1]:
                    length = opening[1] - z
                    gap = opening[2] - opening[1]
            if length > 3:
                row.append(self._building(rng, side, z, length, base, setback))
            z += max(length, 0.0) + gap
        return row

    def _gap(self, rng: np.random.Generator) -> float:
        if self.kind == "suburb":
            return float(rng.uniform(2, 8))
        if self.kind == "avenue":
            return float(rng.choice([0.0, 3.0, 16.0], p=[0.5, 0.3, 0.2]))
        return float(rng.choice([0.0, 2.0, 12.0], p=[0.88, 0.08, 0.04]))

    def _building(
        self, rng: np.random.Generator, side: int, z: float, length: float, base: float, setback: float
    ) -> Building:
        floor = float(rng.uniform(2.8, 3.5))
        storeys = max(1 if self.kind == "suburb" else 2, round(base * rng.uniform(0.65, 1.4) / floor))
        tall = self.kind != "suburb" and rng.random() < 0.08
        storeys = storeys + 4 if tall else storeys
        gable = rng.random() < {"town": 0.5, "suburb": 1.0, "avenue": 0.4}[self.kind] and not tall
        style = 3 if tall else int(rng.choice([0, 1, 2, 3], p=[0.36, 0.36, 0.18, 0.10]))
        depth = float(rng.uniform(8, 13))
        light = float(rng.uniform(0.5, 0.8))
        wall = FACADES[int(rng.integers(2)) if style == 0 and rng.random() < 0.7 else int(rng.integers(len(FACADES)))]
        shade = float(rng.uniform(0.8, 1.15))
        window = (float(rng.uniform(0.62, 0.9)), 0.62) if style == 3 else (float(rng.uniform(0.36, 0.56)), 0.52)
        return Building(
            side=side,
            start=z,
            length=length,
            height=storeys * floor + float(rng.uniform(0.5, 1.2)),
            depth=depth,
            setback=setback * float(rng.uniform(0.9, 1.1)),
            rise=depth * float(rng.uniform(0.28, 0.45)) if gable else 0.0,
            style=style,
            floor=floor,
            pitch=float(rng.uniform(1.9, 3.1)),
            window=window,
            shop=bool(self.kind == "town" and rng.random() < 0.55),
            wall=(wall[0] * shade, wall[1] * shade, wall[2] * shade),
            trim=(light, light * 0.97, light * 0.9),
            roof=ROOFS[int(rng.integers(len(ROOFS)))],
            seed=int(rng.integers(1 << 20)),
        )

    def _trees(self) -> list[Tree]:
        rng = self.stream(20)
        conifer = rng.random() < 0.12
        colour = int(rng.integers(len(LEAVES)))
        trees: list[Tree] = []
        density = {"town": 0.25, "suburb": 0.6, "avenue": 0.85}[self.kind] * rng.uniform(0.5, 1.15)
        for side in (-1, 1):
            z = float(rng.uniform(6, 16))
            while z < 150:
                if rng.random() < density and not self.blocked(side, z, z):
                    trees.append(self._tree(rng, side, z, conifer, colour))
                z += float(rng.uniform(7, 11))
        return trees

    def _tree(self, rng: np.random.Generator, side: int, z: float, conifer: bool, colour: int) -> Tree:
        garden = self.kind == "suburb"
        u = self.half + (self.pavement + rng.uniform(1.2, 3.0) if garden else rng.uniform(0.8, 1.2))
        height = float(rng.uniform(4.5, 10))
        pick = colour if rng.random() < 0.7 else int(rng.integers(len(LEAVES)))
        leaf, gain = LEAVES[pick], float(rng.uniform(0.8, 1.3))
        variant = int(rng.integers(12, 16)) if conifer else int(rng.integers(12))
        slim = 0.45 if conifer else (0.55 if variant >= 8 else float(rng.uniform(0.7, 0.95)))
        return Tree(
            u=side * float(u),
            z=z,
            height=height,
            width=height * slim,
            stem=0.6 if conifer else float(rng.uniform(1.6, 2.6)),
            variant=variant,
            colour=(leaf[0] * gain, leaf[1] * gain, leaf[2] * gain),
            seed=int(rng.integers(1 << 20)),
        )

    def _cars(self) -> list[Car]:
        rng = self.stream(30)
        cars = self._traffic(rng)
        if self.parking:
            for side in (-1, 1):
                z = float(rng.uniform(5.5, 14))
                density = rng.uniform(0.3, 0.9)
                while z < 110:
                    if rng.random() < density and not self.blocked(side, z - 3, z + 3):
                        heading = side * self.traffic if rng.random() < 0.9 else -side * self.traffic
                        cars.append(self._car(rng, side * (self.half - 1.1), z, heading, parked=True))
                    z += float(rng.uniform(5.6, 7))
        return cars

    def _traffic(self, rng: np.random.Generator) -> list[Car]:
        cars: list[Car] = []
        fractions = [0.5] if self.lanes == 2 else [0.25, 0.75]
        for direction in (1, -1):
            for fraction in fractions:
                own = direction == 1 and abs(fraction * self.lane_edge - self.lane) < 0.1
                z = float(rng.uniform(11, 40) if own else rng.uniform(6, 35))
                while z < 130:
                    u = direction * self.traffic * fraction * self.lane_edge + rng.uniform(-0.15, 0.15)
                    cars.append(self._car(rng, float(u), z, direction, parked=False))
                    z += float(rng.uniform(9, 60))
        return cars

    def _car(self, rng: np.random.Generator, u: float, z: float, heading: int, parked: bool) -> Car:
        chance = [0.38, 0.28, 0.20, 0.14, 0.0] if parked else [0.33, 0.26, 0.2, 0.13, 0.08]
        colour, gain = PAINTS[int(rng.integers(len(PAINTS)))], float(rng.uniform(0.8, 1.2))
        return Car(
            u=u,
            z=z,
            heading=heading,
            kind=str(rng.choice(["hatch", "sedan", "suv", "van", "bus"], p=chance)),
            colour=(colour[0] * gain, colour[1] * gain, colour[2] * gain),
            parked=parked,
            seed=int(rng.integers(1 << 20)),
        )

    def _figures(self) -> list[Figure]:
        rng = self.stream(40)
        figures: list[Figure] = []
        for _ in range(int(rng.integers(3, 13))):
            side = int(rng.choice([-1, 1]))
            u = side * (self.half + rng.uniform(0.5, max(self.pavement - 0.4, 0.8)))
            if rng.random() < 0.08:
                u = float(rng.uniform(-self.half, self.half))
            figures.append(self._figure(rng, float(u), float(6 + 36 * rng.random() ** 1.4), ["front", "side"]))
        for _ in range(int(rng.choice([0, 0, 1, 1, 2]))):
            side = int(rng.choice([-1, 1]))
            u = side * (self.lane_edge - rng.uniform(0.2, 0.7))
            figures.append(self._figure(rng, float(u), float(rng.uniform(8, 30)), ["bike", "bike", "bike_side"]))
        return figures

    def _figure(self, rng: np.random.Generator, u: float, z: float, kinds: list[str]) -> Figure:
        tone = float(rng.uniform(0.15, 1.0))
        return Figure(
            u=u,
            z=z,
            height=float(rng.uniform(1.55, 1.9)),
            kind=str(rng.choice(kinds)),
            mirror=int(rng.choice([-1, 1])),
            top=CLOTHES[int(rng.integers(len(CLOTHES)))],
            legs=CLOTHES[int(rng.choice([0, 1, 3, 4, 8]))],
            skin=(0.50 * tone + 0.05, 0.30 * tone + 0.03, 0.21 * tone + 0.02),
            seed=int(rng.integers(1 << 20)),
        )

    def _poles(self) -> list[Pole]:
        rng = self.stream(50)
        poles: list[Pole] = []
        for side in (-1, 1):
            for _ in range(int(rng.integers(1, 5))):
                z = float(rng.uniform(7, 55))
                if not self.blocked(side, z, z, 0):
                    poles.append(self._pole(rng, side, z))
        if self.openings:
            side, start, _ = self.openings[0]
            poles.append(self._pole(rng, side, start - 1.0, "light"))
        return poles

    def _pole(self, rng: np.random.Generator, side: int, z: float, kind: str = "") -> Pole:
        kind = kind or str(rng.choice(["sign", "sign", "light", "post"]))
        height = {"sign": rng.uniform(2.3, 3.1), "light": rng.uniform(3.1, 3.7), "post": rng.uniform(4, 8)}[kind]
        return Pole(
            u=side * (self.half + float(rng.uniform(0.35, 0.6))),
            z=z,
            height=float(height),
            kind=kind,
            face=int(rng.integers(6)),
            seed=int(rng.integers(1 << 20)),
        )

    def _fences(self) -> list[Fence]:
        rng = self.stream(60)
        fences: list[Fence] = []
        for side in (-1, 1):
            kind = int(rng.integers(3))
            chance = {"town": 0.25, "suburb": 0.8, "avenue": 0.5}[self.kind]
            inner = self.kind == "town"
            z = 0.5
            while z < 90:
                length = float(rng.uniform(8, 18))
                if rng.random() < chance and not self.blocked(side, z, z + length):
                    u = self.half + (0.3 if inner else self.pavement)
                    fences.append(self._fence(side, u, z, length, 0 if inner else kind, rng))
                z += length + float(rng.choice([0.0, 3.0]))
        return fences

    def _fence(self, side: int, u: float, start: float, length: float, kind: int, rng: np.random.Generator) -> Fence:
        colours: list[RGB] = [(0.05, 0.06, 0.06), (0.20, 0.12, 0.07), (0.32, 0.17, 0.11)]
        height = [1.05, 1.5, 1.2][kind] * float(rng.uniform(0.85, 1.15))
        return Fence(side=side, u=side * u, start=start, length=length, height=height, kind=kind, colour=colours[kind])
