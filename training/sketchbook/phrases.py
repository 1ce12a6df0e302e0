"""The words of captions: many phrases for each name in `words.py`.

The phrases of a bank are separated by bars and equally likely. A common phrase may be listed twice.
"""

# fmt: off

TIME = {
    "dawn": "at dawn|at dawn|at sunrise|in the early morning|at daybreak|at first light|as the sun rises",
    "day": "by day|by day|at noon|in the daytime|in the afternoon|in broad daylight|at midday|during the day",
    "dusk": "at dusk|at dusk|at sunset|in the evening|at twilight|as the sun sets|as evening falls",
    "night": "at night|at night|at night|at midnight|late at night|after dark|in the middle of the night"
    "|by night",
}
#: Only for nights outdoors, and only with a moon in the picture.
STARRY = ("under the stars", "under a starry sky", "under the night sky")
MOONLIT = ("in the moonlight", "by moonlight")
TIME_WORD = {
    "dawn": "dawn|dawn|sunrise|early morning|daybreak|morning light",
    "day": "day|daytime|daylight|noon|midday|afternoon|day time",
    "dusk": "dusk|dusk|sunset|evening|twilight|evening light",
    "night": "night|night|midnight|night time|nighttime|dark night",
}

WEATHER = {
    "clear": "in clear weather|under a clear sky|in fine weather|with a clear sky",
    "rain": "in the rain|in the rain|in pouring rain|in rainy weather|while the rain falls"
    "|as rain pours down",
    "snow": "in the snow|in the snow|in falling snow|in snowy weather|while snow falls|in winter"
    "|in a snowfall",
    "fog": "in the fog|in the fog|in the mist|in thick fog|in thick mist|in foggy weather|surrounded by fog",
    "storm": "in a storm|in the storm|in a thunderstorm|in stormy weather|during a storm"
    "|while lightning strikes",
}
WEATHER_WORD = {
    "clear": "clear|clear weather|clear sky|fine weather|cloudless sky",
    "rain": "rain|rainy|rain is falling|raining|heavy rain|rainy weather|raindrops",
    "snow": "snow|snowy|snow is falling|snowing|snowfall|winter|snowflakes",
    "fog": "fog|foggy|mist|misty|thick fog|foggy weather|hazy mist",
    "storm": "storm|stormy|thunderstorm|lightning|thunder and lightning|stormy weather",
}
#: Weather and time in one: "on a rainy night".
WEATHER_ADJECTIVE = {
    "clear": "clear|cloudless|fine", "rain": "rainy|wet", "snow": "snowy|wintry",
    "fog": "foggy|misty", "storm": "stormy|thundery",
}
TIME_NOUN = {"dawn": "morning|dawn", "day": "day|afternoon", "dusk": "evening", "night": "night"}
SUNNY = ("on a sunny day", "in the sunshine", "on a bright sunny day")

PLACE = {
    "jungle": "in the jungle|in a jungle|in a deep jungle|in the rainforest|among jungle leaves"
    "|deep in the jungle",
    "shore": "by the sea|by the sea|by the sea|on the shore|on a beach|by the ocean|at the coast"
    "|at the seaside|on the sea shore|near the waves",
    "spaceport": "at the spaceport|at the spaceport|at a spaceport|in the spaceport|on the launch pad"
    "|on a landing platform",
    "forest": "in a forest|in the forest|in the woods|in the wood|among the trees|in a deep forest"
    "|in a dark forest|between tall trees",
    "mountains": "in the mountains|in the mountains|on a mountain pass|among the peaks|below the mountains"
    "|in a mountain valley|high in the mountains|at the pass",
    "city": "in the city|in a city|in a city street|in a city street|on a street with tall buildings"
    "|in a big city|between skyscrapers|downtown",
    "castle": "in a castle hall|in a castle hall|in the castle|in a throne room|in a great stone hall"
    "|inside a castle|in the castle hall",
    "desert": "in the desert|in the desert|in a desert|among sand dunes|in a sandy desert|on the dunes",
    "cave": "in a cave|in a cave|in the cave|in a dark cavern|inside a cave|deep in a cave",
    "studio": "in a cosy room|in a cosy room|in a cozy room|in the painter's studio|in a painter's studio"
    "|in the studio|in an artist's studio|in an artist's workshop|in a room full of paintings",
    "village": "in a village|in the village|in a small village|in a village street|in a quiet village"
    "|on a village square",
    "meadow": "in a meadow|in the meadow|in a flower meadow|on a grassy hill|in a field of flowers"
    "|in the fields",
}
#: The same as nouns, for lists (without article) and for "on the left of ...".
PLACE_NOUN = {
    "jungle": "a jungle|the jungle|a deep jungle|a rainforest",
    "shore": "the shore|the beach|the sea|the coast|the seaside|the sea shore|the seashore",
    "spaceport": "a spaceport|the spaceport|a launch pad|the landing platform",
    "forest": "a forest|a dark forest|a deep forest|the woods|a pale wood",
    "mountains": "the mountains|the peaks|a mountain pass|a mountain valley|a mountain landscape",
    "city": "a city|a city street|the city|a big city|a street with tall buildings",
    "castle": "a castle hall|a throne room|the castle|a great stone hall|the castle hall",
    "desert": "the desert|a desert|a sandy desert|the sand dunes",
    "cave": "a cave|a dark cave|a cavern|the cave",
    "studio": "a cosy room|a cozy room|a painter's studio|the painter's studio|an artist's studio"
    "|an artist's workshop",
    "village": "a village|the village|a small village|a village street|a village square",
    "meadow": "a meadow|the meadow|a flower meadow|a grassy hill|a field of flowers",
}

STYLE = {
    "flat": "storybook illustration|storybook illustration|flat illustration|picture book"
    "|picture book illustration|flat colours|children's book illustration|flat style",
    "ink": "ink drawing|ink drawing|pen and ink|black and white sketch|ink sketch|black ink on paper"
    "|ink style",
    "watercolour": "watercolour|watercolour painting|watercolor|watercolor painting|soft watercolour"
    "|watercolour style",
    "neon": "neon style|neon style|neon|glowing neon lines|cyberpunk|cyberpunk neon|neon lights",
    "oil": "oil painting|oil painting|palette knife painting|thick oil paint|oil on canvas|oil paint",
    "papercut": "paper-cut|papercut|paper cutout|layered paper craft|paper cut style|cut paper collage"
    "|paper craft",
}

#: These fit all styles. Alone they mean the flat style.
STORYBOOK = "storybook illustration|storybook illustration|picture book illustration|book illustration"

#: Before "of", or alone. A full view is rarely mentioned.
FRAMING_OF = {
    "wide": "wide shot|wide view|distant view|panorama|wide landscape",
    "full": "full view|full shot|medium shot|full picture",
    "portrait": "portrait|portrait|portrait|close-up|close-up portrait|head and shoulders portrait|close up",
}
FRAMING_WORD = {
    "wide": "wide shot|wide view|far away|small in the landscape|seen from afar|wide landscape"
    "|in the distance",
    "full": "full view|full shot|medium shot|full body",
    "portrait": "portrait|portrait|close-up|close up|head and shoulders|face",
}

#: First the phrases that can follow "looks", then the others.
EXPRESSION = {
    "calm": ("calm|gentle|serene|neutral|peaceful|kind|relaxed|thoughtful", ""),
    "happy": ("happy|happy|joyful|proud|cheerful|glad|delighted|merry", "smiling|smiling|laughing|beaming"),
    "sad": ("sad|sad|sorrowful|gloomy|ashamed|unhappy|melancholy|miserable", "crying|weeping"),
    "angry": ("angry|angry|furious|cross|grim|determined|brave|fierce|stern", "frowning|scowling"),
    "worried": ("worried|worried|scared|afraid|nervous|anxious|puzzled|frightened|uneasy|troubled", ""),
    "surprised": ("surprised|surprised|astonished|amazed|shocked|alert|startled|stunned", "gasping|staring"),
    "tired": ("tired|tired|sleepy|weary|exhausted|drowsy|worn out", "yawning"),
    "sly": ("sly|sly|cunning|mischievous|crafty|scheming", "smirking"),
}

COLOUR = {
    "red": "scarlet|crimson", "blue": "azure|navy blue|sky blue|deep blue", "green": "emerald|emerald green",
    "yellow": "golden|bright yellow", "purple": "violet|lilac", "orange": "bright orange|amber",
    "white": "snow-white|pure white", "black": "jet black|pitch black", "pink": "rose|rosy pink",
    "brown": "chestnut|chocolate brown",
}
HAIR = {
    "black": "with black hair|black-haired|dark-haired", "brown": "with brown hair|brown-haired",
    "red": "with red hair|red-haired|ginger-haired|with ginger hair",
    "blond": "with blond hair|blonde|fair-haired|with golden hair|with blonde hair",
    "white": "with white hair|white-haired|with silver hair",
}

#: "{n}" is the noun, "{c}" the colour.
_WEAR = (
    "{n} in a {c} coat|{n} in a {c} coat|{n} in a {c} coat|{n} in {c}|{n} wearing {c}"
    "|{n} wearing a {c} coat|{n} with a {c} coat|{n} in a {c} jacket"
)
_WHOLE = "{c} {n}|{c} {n}"
#: Nouns, and patterns that contain the colour.
SUBJECT = {
    "girl": ("girl|girl|girl|little girl|young girl|young woman|woman", _WEAR + "|{n} in a {c} dress"),
    "boy": ("boy|boy|boy|little boy|young boy|lad", _WEAR),
    "man": ("old man|old man|old man|bearded man|grandfather|bearded old man|elderly man|man", _WEAR),
    "knight": ("knight|knight|knight|knight in armour",
        "{n} in {c}|{n} in {c}|{c} {n}|{n} with a {c} cape|{n} with a {c} cloak|{n} wearing {c}"),
    "wizard": ("wizard|wizard|old wizard|sorcerer|magician",
        "{n} in a {c} robe|{n} in a {c} robe|{c} {n}|{n} in {c}|{n} with a {c} hat|{n} wearing a {c} robe"),
    "robot": ("robot|robot|little robot|metal robot|android", _WHOLE + "|{n} painted {c}"),
    "fox": ("fox|fox|fox|little fox", _WHOLE + "|{n} with {c} fur"),
    "cat": ("cat|cat|cat|little cat|kitten", _WHOLE + "|{n} with {c} fur"),
    "owl": ("owl|owl|owl|wise owl", _WHOLE + "|{n} with {c} feathers"),
    "dragon": ("dragon|dragon|dragon|great dragon", _WHOLE + "|{n} with {c} scales"),
    "horse": ("horse|horse|horse|pony|stallion", _WHOLE),
    "tree": ("tree|tree|big tree|old tree|tall tree", "{c} {n}|{n} with {c} leaves|{n} with {c} leaves"),
    "boat": ("boat|boat|sailing ship|sailing boat|ship|sailboat|little ship",
        _WHOLE + "|{n} with {c} sails|{n} with a {c} sail"),
    "spaceship": ("spaceship|spaceship|rocket|rocket|space ship|starship|rocket ship", _WHOLE),
    "moon": ("moon|moon|full moon|big moon", _WHOLE),
    "lantern": ("lantern|lantern|lantern|lamp|oil lamp", _WHOLE + "|{n} with a {c} glow"),
    "campfire": ("campfire|campfire|campfire|fire|bonfire|camp fire", _WHOLE + "|{n} with {c} flames"),
    "tower": ("tower|tower|stone tower|castle tower|old tower", _WHOLE + "|{n} with a {c} roof"),
    "house": ("house|house|house|cottage|little house", _WHOLE),
    "lighthouse": ("lighthouse|lighthouse|tall lighthouse|old lighthouse", _WHOLE),
    "door": ("door|door|wooden door|old door", _WHOLE),
}
VERB = {
    "boat": "floats|lies|drifts|sails", "moon": "hangs|shines|glows", "campfire": "burns|crackles",
    "lantern": "glows|stands|shines", "spaceship": "stands|waits|has landed",
}
STANDS = {"alive": "stands|stands|waits|is standing|rests|lingers", "thing": "stands|stands|is|can be seen"}

#: Positions: alone, and before "of" and a place.
POSITION = {
    "left": "on the left|on the left|on the left|at the left|on the left side|to the left|at the left side",
    "centre": "in the middle|in the middle|in the centre|in the center|at the centre",
    "right": "on the right|on the right|on the right|at the right|on the right side|to the right"
    "|at the right side",
}
SIDE_OF = {
    "left": "on the left|on the left side|to the left", "centre": "in the middle|in the centre",
    "right": "on the right|on the right side|to the right",
}
SIDE_WORD = {
    "left": "left|left side|on the left", "centre": "centre|center|centered|in the middle",
    "right": "right|right side|on the right",
}

#: Before "of", for all styles.
PICTURE = ("a picture", "an image", "picture", "image")

#: Before a place: "an empty scene in a forest".
EMPTY = (
    "an empty scene", "an empty scene", "an empty scene", "a view", "a landscape", "an empty landscape",
    "a quiet place", "scenery", "background", "an empty background", "nobody", "a scene without people",
)
NOBODY = ("nobody is", "there is nobody", "nobody stands", "nothing moves", "it is empty")
EMPTY_WORD = (
    "empty", "empty scene", "no people", "nobody there", "scenery", "background", "landscape",
    "empty background",
)


def options(bank: str) -> list[str]:
    """The phrases of a bank."""
    return [option for option in bank.split("|") if option]
