"""Places under the open sky: name -> fn(canvas, scene, rng) -> Ground."""

from .desert import desert
from .forest import forest
from .jungle import jungle
from .meadow import meadow
from .mountains import mountains
from .shore import shore

PLACES = {
    "jungle": jungle,
    "shore": shore,
    "forest": forest,
    "mountains": mountains,
    "desert": desert,
    "meadow": meadow,
}
