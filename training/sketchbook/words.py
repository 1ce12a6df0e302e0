"""The names of everything that the sketchbook can draw, shared by captions, drawings and measurements."""

PLACES = (
    "jungle",
    "shore",
    "spaceport",
    "forest",
    "mountains",
    "city",
    "castle",
    "desert",
    "cave",
    "studio",
    "village",
    "meadow",
)
INDOORS = ("castle", "cave", "studio")
TIMES = ("dawn", "day", "dusk", "night")
WEATHERS = ("clear", "rain", "snow", "fog", "storm")
STYLES = ("flat", "ink", "watercolour", "neon", "oil", "papercut")
FRAMINGS = ("wide", "full", "portrait")
POSITIONS = ("left", "centre", "right")

PEOPLE = ("girl", "boy", "man", "knight", "wizard", "robot")
ANIMALS = ("fox", "cat", "owl", "dragon", "horse")
THINGS = (
    "tree",
    "boat",
    "spaceship",
    "moon",
    "lantern",
    "campfire",
    "tower",
    "house",
    "lighthouse",
    "door",
)
SUBJECTS = PEOPLE + ANIMALS + THINGS
EXPRESSIONS = ("calm", "happy", "sad", "angry", "worried", "surprised", "tired", "sly")
HAIR = {
    "black": (44, 36, 40),
    "brown": (118, 72, 40),
    "red": (190, 84, 36),
    "blond": (232, 192, 96),
    "white": (234, 232, 228),
}

#: Named colours as they are drawn by day, RGB in 0..=255.
COLOURS = {
    "red": (208, 44, 44),
    "blue": (44, 100, 208),
    "green": (52, 156, 76),
    "yellow": (246, 206, 56),
    "purple": (136, 68, 184),
    "orange": (240, 130, 36),
    "white": (242, 240, 234),
    "black": (44, 42, 52),
    "pink": (242, 138, 178),
    "brown": (130, 84, 52),
}
