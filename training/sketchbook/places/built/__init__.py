"""Built places, and the cave, which has the same structure."""

from .castle import castle
from .cave import cave
from .city import city
from .spaceport import spaceport
from .studio import studio
from .village import village

#: Each draws the place's background and returns where subjects stand: fn(canvas, scene, rng) -> Ground.
PLACES = {
    "city": city,
    "castle": castle,
    "cave": cave,
    "studio": studio,
    "village": village,
    "spaceport": spaceport,
}
