"""Places: each draws its background and tells where subjects stand."""

from dataclasses import dataclass


@dataclass
class Ground:
    """Where subjects can stand, in picture units."""

    near: float  # y of the feet of a subject that stands close by
    far: float  # y of the feet of one that stands further away (houses, towers, boats)
    water: float | None = None  # y of the waterline for boats, where the place has water
