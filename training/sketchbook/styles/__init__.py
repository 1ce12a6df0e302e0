"""The six styles of the sketchbook, by name (see `words.STYLES`)."""

from ..canvas import Style
from .flat import Flat
from .ink import Ink
from .neon import Neon
from .oil import Oil
from .papercut import Papercut
from .watercolour import Watercolour

STYLES: dict[str, type[Style]] = {
    style.name: style for style in (Flat, Ink, Watercolour, Neon, Oil, Papercut)
}
