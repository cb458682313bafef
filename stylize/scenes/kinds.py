"""The numbers of label classes (CamVid-11 order) and of materials."""

from __future__ import annotations

from stylize.labelsets import CAMVID11

CLASSES = CAMVID11.classes
IGNORE = 11
SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)

(
    FACADE,
    ROOF,
    PLAIN,  # one colour
    LEAVES,
    FIGURE,
    CAR_SIDE,
    CAR_CABIN,  # side windows and pillars
    CAR_PAINT,
    CAR_GLASS,
    CAR_REAR,
    CAR_FRONT,
    LAMP,
    PLATE,  # traffic sign
    SIGNAL,  # traffic light
    FENCING,
    FAR,  # skyline
) = range(16)
