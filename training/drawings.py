"""Drawings on disk. Scenes are drawn once, and all training runs read the same files.

`python training/drawings.py --out DIR --count N --seed S [--processes 2] [--held-out] [--wide] [--edits SHARE]`

A folder contains, for each size of picture:
`pictures-WxH.bin`   the pictures one after another, each a PNG (lossless; a tenth of the raw bytes)
`ends-WxH.npy`       int64: the end of each picture in that file
`scenes-WxH.json`    a list with the scene of each picture
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import multiprocessing
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from sketchbook.draw import draw
from sketchbook.sampling import of_edits, sample_scene
from sketchbook.scene import Scene

Size = tuple[int, int]  # width, height in pixels
#: The number of drawings of each size that are excluded from training.
UNSEEN = 64


class Drawings:
    """The numbered drawings of a folder. Drawings of one size have consecutive numbers.

    Iterating yields (picture, scene): u8 (height, width, 3) in RGB. Reading is thread-safe.
    """

    def __init__(self, folder: str | Path):
        #: The numbers of the drawings of each size.
        self.sizes: dict[Size, range] = {}
        self.scenes: list[Scene] = []
        self._files: list[tuple[range, np.ndarray, np.ndarray]] = []
        for path in sorted(Path(folder).glob("scenes-*.json")):
            size = path.stem.removeprefix("scenes-")
            scenes = [Scene.from_json(data) for data in json.loads(path.read_text())]
            numbers = range(len(self.scenes), len(self.scenes) + len(scenes))
            ends = np.load(path.with_name(f"ends-{size}.npy"))
            content = np.memmap(path.with_name(f"pictures-{size}.bin"), np.uint8, "r")
            if len(ends) != len(scenes) or ends[-1] != len(content):
                raise ValueError(f"{path} and the pictures beside it do not match: draw them again")
            width, height = size.split("x")
            self.sizes[int(width), int(height)] = numbers
            self.scenes += scenes
            self._files.append((numbers, ends, content))
        if not self.scenes:
            raise FileNotFoundError(f"{folder} contains no drawings; create them with drawings.py")

    def __len__(self) -> int:
        return len(self.scenes)

    def image(self, number: int) -> Image.Image:
        numbers, ends, content = next(file for file in self._files if number in file[0])
        i = number - numbers.start
        start = ends[i - 1] if i else 0
        return Image.open(io.BytesIO(content[start : ends[i]].tobytes()))

    def picture(self, number: int) -> np.ndarray:
        """u8 (height, width, 3)."""
        return np.array(self.image(number))

    def __getitem__(self, number: int) -> tuple[np.ndarray, Scene]:
        return self.picture(number), self.scenes[number]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def seen(self) -> list[int]:
        """The numbers of the training drawings."""
        return [number for of_size in self.sizes.values() for number in of_size[UNSEEN:]]

    def unseen(self, of_each: int | None = None) -> list[int]:
        """The numbers of the drawings excluded from training, at most `of_each` per size."""
        return [number for of_size in self.sizes.values() for number in of_size[:UNSEEN][:of_each]]

    def batches(self, size: int, side: int, rng: random.Random):
        """Endless random batches of training drawings, squeezed to squares: numbers and u8 (size, side, side, 3).
        Decodes ahead on another thread."""
        numbers = self.seen()

        def batch() -> tuple[list[int], np.ndarray]:
            chosen = rng.sample(numbers, size)
            return chosen, np.stack([squeeze(self.image(i), side) for i in chosen])

        # One thread, because `rng` must be used in a fixed order. PIL releases the GIL while decoding.
        with ThreadPoolExecutor(1) as pool:
            ahead = [pool.submit(batch) for _ in range(3)]
            while True:
                yield ahead.pop(0).result()
                ahead.append(pool.submit(batch))


def squeeze(picture: np.ndarray | Image.Image, side: int) -> np.ndarray:
    """Resizes a picture to a square without cropping, (side, side, 3) u8."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def squeezed(pictures, side: int) -> np.ndarray:
    """Resizes pictures of any sizes to (count, side, side, 3) u8."""
    return np.stack([squeeze(picture, side) for picture in pictures])


# ---- writing


def sampled(count: int, seed: int | str, held_out: bool = False) -> list[Scene]:
    """The first `count` scenes of a seed. Scene i does not depend on the count."""
    return [_scene(seed, i, held_out) for i in range(count)]


def _scene(seed: int | str, number: int, held_out: bool) -> Scene:
    return sample_scene(random.Random(f"{seed}/{number}"), held_out=held_out)


def _drawn(scene: Scene) -> tuple[Scene, bytes]:
    png = io.BytesIO()
    Image.fromarray(draw(scene)).save(png, "PNG", compress_level=1)
    return scene, png.getvalue()


def endless(seed: int, held_out: bool = False, wide: bool = False, edits: float = 0.0) -> Iterator[Scene]:
    """The scenes of a seed, without end. With `wide`, only wide views with subjects. `edits` is the share of scenes as
    after an edit."""
    for i in itertools.count():
        rng = random.Random(f"edits {seed}/{i}")
        if rng.random() < edits:
            yield of_edits(rng)
            continue
        scene = _scene(seed, i, held_out)
        if not wide or (scene.framing == "wide" and scene.subjects):
            yield scene


def make(out: Path, asked: Iterator[Scene], count: int, processes: int = 2) -> None:
    """Draws the first `count` scenes into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for old in (*out.glob("scenes-*.json"), *out.glob("ends-*.npy"), *out.glob("pictures-*.bin")):
        old.unlink()
    files, ends, scenes, begun = {}, {}, {}, time.monotonic()
    tasks = itertools.islice(asked, count)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for i, (scene, png) in enumerate(pool.imap(_drawn, tasks, chunksize=16), 1):
            size = f"{scene.width}x{scene.height}"
            if size not in files:
                files[size], ends[size], scenes[size] = (out / f"pictures-{size}.bin").open("wb"), [], []
            files[size].write(png)
            ends[size].append(files[size].tell())
            scenes[size].append(scene.to_json())
            if i % 2000 == 0 or i == count:
                rate, held = i / (time.monotonic() - begun), sum(f.tell() for f in files.values())
                print(f"{i} of {count}, {rate:.0f}/s, {held / i / 1024:.1f} KiB a picture", flush=True)
    for size, file in files.items():
        file.close()
        np.save(out / f"ends-{size}.npy", np.array(ends[size], np.int64))
        (out / f"scenes-{size}.json").write_text(json.dumps(scenes[size]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--held-out", action="store_true", help="only combinations excluded from training")
    parser.add_argument("--wide", action="store_true", help="only wide views with subjects")
    parser.add_argument("--edits", type=float, default=0.0, help="the share of scenes as after an edit of a subject")
    args = parser.parse_args()
    asked = endless(args.seed, args.held_out, args.wide, args.edits)
    make(args.out, asked, args.count, args.processes)


if __name__ == "__main__":
    main()
