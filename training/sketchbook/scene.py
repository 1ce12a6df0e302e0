"""A scene: everything that a drawing shows and its caption can mention."""

from dataclasses import asdict, dataclass, field


@dataclass
class Subject:
    kind: str
    colour: str
    position: str = "centre"
    hair: str | None = None  # people with hair only: a key of words.HAIR


@dataclass
class Scene:
    place: str
    time: str
    weather: str
    style: str
    framing: str | None  # None for a crop
    subjects: list[Subject] = field(default_factory=list)
    expression: str | None = None  # portraits only
    width: int = 256
    height: int = 256
    seed: int = 0  # of the drawing: where leaves and stars fall

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(data: dict) -> "Scene":
        return Scene(**{**data, "subjects": [Subject(**s) for s in data["subjects"]]})
