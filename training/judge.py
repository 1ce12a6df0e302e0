"""The judge: a small convolutional network that recognises what a picture shows.

It is trained only on drawings, and then evaluates generated pictures. To judge edits, it must know the colours that they
ask for: use drawings with `--edits` (drawings.py).

`python training/judge.py --drawings DIR --out DIR --minutes M`

Writes `judge.pt` into `--out`. A stopped run can be continued, see loop.py.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from drawings import Drawings, squeezed
from loop import Training, arguments
from principal import tensor
from sketchbook import words
from sketchbook.scene import Scene

SIDE = 128  # the judge's input in px, width and height
NONE = "none"  # no subject at this position
UNSAID = -100  # an ignored label: cross_entropy's ignore_index

#: The judge's questions and possible answers.
QUESTIONS: dict[str, tuple[str, ...]] = {
    "place": words.PLACES,
    "time": words.TIMES,
    "weather": words.WEATHERS,
    "style": words.STYLES,
    "framing": words.FRAMINGS,
    "expression": words.EXPRESSIONS,
}
KINDS = (*words.SUBJECTS, NONE)
COLOURS = (*words.COLOURS, NONE)
for _position in words.POSITIONS:
    QUESTIONS[f"{_position} kind"] = KINDS
    QUESTIONS[f"{_position} colour"] = COLOURS


def truth(scene: Scene) -> dict[str, str | None]:
    """The right answers. None if a question does not apply, such as the expression outside a portrait."""
    answers: dict[str, str | None] = {
        "place": scene.place,
        "time": scene.time,
        "weather": None if scene.place in words.INDOORS else scene.weather,
        "style": scene.style,
        "framing": scene.framing,
        "expression": scene.expression if scene.framing == "portrait" else None,
    }
    for position in words.POSITIONS:
        subject = next((s for s in scene.subjects if s.position == position), None)
        answers[f"{position} kind"] = subject.kind if subject else NONE
        answers[f"{position} colour"] = subject.colour if subject else NONE
    return answers


def labels(scene: Scene) -> list[int]:
    """The right answers as indices, in the order of `QUESTIONS`."""
    right = truth(scene)
    return [UNSAID if right[q] is None else answers.index(right[q]) for q, answers in QUESTIONS.items()]


# ---- the network


class Block(nn.Module):
    """Halves the resolution: two 3x3 convolutions, the second with a skip connection."""

    def __init__(self, channels: int, wider: int):
        super().__init__()
        self.shrink = nn.Conv2d(channels, wider, 3, 2, 1, bias=False)
        self.shrink_norm = nn.BatchNorm2d(wider)
        self.look = nn.Conv2d(wider, wider, 3, 1, 1, bias=False)
        self.look_norm = nn.BatchNorm2d(wider)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.shrink_norm(self.shrink(x)))
        return F.relu(x + self.look_norm(self.look(x)))


class Network(nn.Module):
    """Maps (batch, 3, 128, 128) in -1..=1 to the logits of all questions."""

    WIDTHS = (32, 64, 112, 144)

    def __init__(self):
        super().__init__()
        stem, *wider = self.WIDTHS
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 5, 2, 2, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in zip(self.WIDTHS, wider)))
        features, columns = 2 * wider[-1], SIDE // 2 ** len(self.WIDTHS)
        # Questions about subjects depend on the position, so they see the columns separately.
        self.whole = nn.Linear(features, self.answers(False))
        self.where = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(features * columns, self.answers(True))
        )

    @staticmethod
    def answers(positions: bool) -> int:
        return sum(len(a) for q, a in QUESTIONS.items() if (" " in q) == positions)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.blocks(self.stem(x))
        whole = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        columns = torch.cat([x.mean(2), x.amax(2)], 1)
        logits = torch.cat([self.whole(whole), self.where(columns)], 1).float()
        return dict(zip(QUESTIONS, logits.split([len(a) for a in QUESTIONS.values()], 1)))


# ---- answers


@dataclass
class Reading:
    """The judge's answers for one picture: the probability of each answer to each question."""

    odds: dict[str, np.ndarray]

    def answer(self, question: str) -> str:
        return QUESTIONS[question][int(self.odds[question].argmax())]

    def sees(self, kind: str) -> bool:
        """Whether a subject of this kind is at any position."""
        return any(self.answer(f"{p} kind") == kind for p in words.POSITIONS)

    def likeliest(self, kind: str) -> str:
        """The most probable position of a subject of this kind."""
        column = KINDS.index(kind)
        return max(words.POSITIONS, key=lambda p: self.odds[f"{p} kind"][column])

    def occupied(self) -> str:
        """The most probable position of a subject of any kind."""
        return min(words.POSITIONS, key=lambda p: self.odds[f"{p} kind"][KINDS.index(NONE)])


class Judge:
    def __init__(self, path: Path):
        self.network = Network()
        self.network.load_state_dict(torch.load(path, weights_only=True))
        self.network.eval()

    def read(self, pictures) -> list[Reading]:
        """Reads u8 (height, width, 3) pictures of any sizes."""
        return readings(self.network, squeezed(pictures, SIDE))


@torch.inference_mode()
def readings(network: Network, pictures: np.ndarray, batch: int = 64) -> list[Reading]:
    out = []
    for start in range(0, len(pictures), batch):
        logits = network(tensor(pictures[start : start + batch]))
        odds = {question: values.softmax(-1).numpy() for question, values in logits.items()}
        size = len(pictures[start : start + batch])
        out += [Reading({question: values[i] for question, values in odds.items()}) for i in range(size)]
    return out


# ---- training


def augmented(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mild augmentation that changes no answer: shift, brightness, contrast, blur and noise."""

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    batch = len(x)
    dx, dy = torch.randint(-4, 5, (2,), generator=generator).tolist()
    x = F.pad(x, (4, 4, 4, 4), mode="replicate")[..., 4 + dy : 4 + dy + SIDE, 4 + dx : 4 + dx + SIDE]
    x = x * uniform(0.9, 1.1, batch, 1, 1, 1) + uniform(-0.08, 0.08, batch, 1, 1, 1)
    # Generated pictures are slightly softer than drawings. The judge must tolerate that.
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = x.lerp(soft, uniform(0, 1, batch, 1, 1, 1))
    return x + torch.randn(x.shape, generator=generator) * uniform(0, 0.04, batch, 1, 1, 1)


def train(drawings: Drawings, args: argparse.Namespace) -> Network:
    torch.manual_seed(args.seed)
    network = Network().to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    # No weight averaging: it would not match the running statistics of the batch norms.
    training = Training(network, [(optimizer, 1.0)], args, keep=0.0, steady=0.2)
    generator = torch.Generator().manual_seed(training.rng.getrandbits(63))
    known = torch.tensor([labels(scene) for scene in drawings.scenes])
    batches = drawings.batches(args.batch, SIDE, training.rng)
    for _ in training:
        numbers, pictures = next(batches)
        x = augmented(tensor(pictures), generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            answers = network(x)
        loss = sum(
            F.cross_entropy(logits, right, ignore_index=UNSAID, label_smoothing=0.02)
            for logits, right in zip(answers.values(), known[numbers].T)
            if (right != UNSAID).any()
        )
        training.learn(loss, {"loss": loss.item()})
        if training.step % 500 == 0:
            training.save()
    training.save()
    batches.close()
    return network.eval()


def tested(network: Network, drawings: Drawings) -> dict[str, float]:
    """Percent of right answers to each question on drawings excluded from training. Position questions count only
    where a subject stands, because most positions are empty."""
    numbers = drawings.unseen()
    read = readings(network, squeezed((drawings.picture(i) for i in numbers), SIDE))
    hits: dict[str, list[bool]] = {question: [] for question in QUESTIONS}
    for number, reading in zip(numbers, read):
        for question, right in truth(drawings.scenes[number]).items():
            if right not in (None, NONE):
                hits[question].append(reading.answer(question) == right)
    return {question: 100 * float(np.mean(hit)) for question, hit in hits.items() if hit}


def main() -> None:
    parser = arguments(__doc__, lr=2e-3, batch=64)
    parser.add_argument("--drawings", type=Path, required=True)
    args = parser.parse_args()
    drawings = Drawings(args.drawings)
    network = train(drawings, args)
    torch.save(network.state_dict(), args.out / "judge.pt")
    for question, percent in tested(network, drawings).items():
        print(f"{question:<16}{percent:6.1f} %")


if __name__ == "__main__":
    main()
