"""Places: each draws its background and returns where subjects can stand."""

from dataclasses import dataclass


@dataclass
class Ground:
    """Where subjects can stand, in picture units."""

    near: float  # y of the feet of a near subject
    far: float  # y of the feet of a distant subject (houses, towers, boats)
    water: float | None = None  # y of the waterline for boats, if the place has water
