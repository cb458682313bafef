"""The Frechet distance between two sets of pictures, each summed up as a Gaussian of its features, added bit by bit."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Gaussian:
    """Mean and covariance of feature vectors that come in batches; the memory is that of the covariance."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: Floats | None = None
        self._scatter: Floats | None = None

    def add(self, features_BD: npt.NDArray[np.floating]) -> None:
        """Take a batch of feature vectors."""
        batch_BD = features_BD.astype(np.float64)
        number, mean = len(batch_BD), batch_BD.mean(axis=0)
        centred_BD = batch_BD - mean
        scatter = centred_BD.T @ centred_BD
        if self._mean is None or self._scatter is None:
            self.count, self._mean, self._scatter = number, mean, scatter
            return
        total = self.count + number
        shift = mean - self._mean
        self._scatter += scatter + np.outer(shift, shift) * (self.count * number / total)
        self._mean = self._mean + shift * (number / total)
        self.count = total

    @property
    def dimensions(self) -> int:
        """The length of a feature vector; 0 before the first."""
        return 0 if self._mean is None else len(self._mean)

    @property
    def mean(self) -> Floats:
        """The mean [D]; raises ValueError before the first vector."""
        if self._mean is None:
            raise ValueError("no features")
        return self._mean

    @property
    def covariance(self) -> Floats:
        """The unbiased covariance [D, D]; raises ValueError with fewer than two vectors."""
        if self._scatter is None or self.count < 2:
            raise ValueError("a covariance needs two pictures")
        return self._scatter / (self.count - 1)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the squared Frechet (2-Wasserstein) distance of two Gaussians (Dowson and Landau 1982; as in FID).

    NaN when either has fewer than two pictures. With fewer pictures than dimensions it is biased upwards: compare only
    sets of like size.
    """
    if min(a.count, b.count) < 2:
        return math.nan
    return wasserstein(a.mean, a.covariance, b.mean, b.covariance)


def wasserstein(mean_a: Floats, covariance_a: Floats, mean_b: Floats, covariance_b: Floats) -> float:
    """Return the squared 2-Wasserstein distance of two Gaussians, means [D] and covariances [D, D]."""
    root_a = _root(covariance_a)
    cross = np.linalg.eigvalsh(root_a @ covariance_b @ root_a)
    spread = np.trace(covariance_a) + np.trace(covariance_b) - 2 * np.sqrt(cross.clip(min=0)).sum()
    return max(0.0, float(np.square(mean_a - mean_b).sum() + spread))


def _root(covariance: Floats) -> Floats:
    """Return the symmetric square root; eigenvalues that rounding made negative count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root
