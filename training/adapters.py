"""Adapters that give the denoiser an outline, a scribble, a style image or a content image, and their inputs.

`outline` and `scribble` are T2I-Adapters of diffusers (Mou et al. 2023, arXiv:2302.08453), `style` and `content` are
IP-Adapters in the "plus" form (Ye et al. 2023, arXiv:2308.06721) on hidden states of sketch-clip.

diffusers adds the features of a T2I-Adapter to the output of each down block of the denoiser. The first block halves
the latents before that, so both features have one cell for 2 x 2 latents, and the class is `full_adapter_xl`. An
adapter reads a picture in which `downscale_factor` pixels make one cell: an outline at half the size of the drawing, a
scribble at a quarter.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import T2IAdapter, UNet2DConditionModel
from diffusers.models.embeddings import IPAdapterPlusImageProjection
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPModel

from train_clip import SIDE, pixels

PICTURES, IMAGES = ("outline", "scribble"), ("style", "content")
KINDS = PICTURES + IMAGES
#: The pixels of a drawing on each side of a cell: 2 x 2 latents of 16 x 16 pixels.
CELL = 32
#: Pixels of a drawing on each side of a pixel of the adapter's input, and input channels.
SHRINK = {"outline": 2, "scribble": 4}
INPUTS = {"outline": 1, "scribble": 4}
#: Width of the resampler and its number of tokens.
TOKENS = {"style": (64, 8), "content": (128, 16)}
MODELS = Path(__file__).parent.parent / "assets" / "models"


# ---- networks


def picture_adapter(kind: str) -> T2IAdapter:
    network = T2IAdapter(
        in_channels=INPUTS[kind],
        channels=[64, 128],
        num_res_blocks=2,
        downscale_factor=CELL // SHRINK[kind],
        adapter_type="full_adapter_xl",
    )
    with torch.no_grad():
        # The denoiser starts almost undisturbed.
        network.adapter.conv_in.weight.mul_(0.5)
    return network


class ImageAdapter(nn.Module):
    """The resampler of an image's hidden states, and the keys and values of its tokens in each cross attention."""

    def __init__(self, kind: str, unet: UNet2DConditionModel, hidden: int):
        super().__init__()
        width, count = TOKENS[kind]
        across = unet.config.cross_attention_dim
        self.image_proj = IPAdapterPlusImageProjection(
            hidden, across, width, depth=4, dim_head=64, heads=width // 64, num_queries=count
        )
        layers = cross_attentions(unet).values()
        self.keys = nn.ModuleList(nn.Linear(across, layer.to_k.out_features, bias=False) for layer in layers)
        self.values = nn.ModuleList(
            nn.Linear(across, layer.to_v.out_features, bias=False) for layer in layers
        )
        with torch.no_grad():
            for layer, key, value in zip(layers, self.keys, self.values):
                key.weight.copy_(layer.to_k.weight)
                value.weight.copy_(0.1 * layer.to_v.weight)

    def state(self) -> dict[str, torch.Tensor]:
        """The weights by the names in files of IP-Adapter."""
        state = {}
        for name, weight in self.image_proj.state_dict().items():
            if name.endswith("attn.to_k.weight"):
                other = self.image_proj.state_dict()[name.replace("to_k", "to_v")]
                name, weight = name.replace("to_k", "to_kv"), torch.cat([weight, other])
            if not name.endswith("to_v.weight"):
                state[f"image_proj.{original(name)}"] = weight
        for number, layer in enumerate(zip(self.keys, self.values)):
            for part, linear in zip("kv", layer):
                state[f"ip_adapter.{2 * number + 1}.to_{part}_ip.weight"] = linear.weight.detach()
        return {name: weight.detach().clone().contiguous() for name, weight in state.items()}


#: Parts of names of the resampler in diffusers and in files of IP-Adapter.
NAMES = {
    ".ln0.": ".0.norm1.",
    ".ln1.": ".0.norm2.",
    ".attn.to_out.0.": ".0.to_out.",
    ".attn.": ".0.",
    ".ff.0.": ".1.0.",
    ".ff.1.net.0.proj.": ".1.1.",
    ".ff.1.net.2.": ".1.3.",
}


def original(name: str) -> str:
    """The name in files of IP-Adapter of a weight of the resampler."""
    for new, old in NAMES.items():
        if new in name:
            return name.replace(new, old)
    return name


def cross_attentions(unet: UNet2DConditionModel) -> dict[str, nn.Module]:
    """In the order of their numbers in files of IP-Adapter: down, up, middle."""
    names = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    return {name: unet.get_submodule(name.removesuffix(".processor")) for name in names}


class Attention:
    """Cross attention with images. Repeats `IPAdapterAttnProcessor2_0`, but the tokens of each picture of the batch
    have their own weights."""

    def __init__(self, number: int):
        self._number = number

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        text, images = encoder_hidden_states
        residual, count = hidden_states, len(hidden_states)

        def heads(x):
            return x.view(count, -1, attn.heads, x.shape[-1] // attn.heads).transpose(1, 2)

        query = heads(attn.to_q(hidden_states))
        out = F.scaled_dot_product_attention(query, heads(attn.to_k(text)), heads(attn.to_v(text)))
        for adapter, tokens, weights in images:
            key, value = adapter.keys[self._number](tokens), adapter.values[self._number](tokens)
            found = F.scaled_dot_product_attention(query, heads(key), heads(value))
            out = out + weights.view(-1, 1, 1, 1).to(found.dtype) * found
        out = attn.to_out[0](out.transpose(1, 2).reshape(hidden_states.shape))
        return (out + residual if attn.residual_connection else out) / attn.rescale_output_factor


@dataclass
class Given:
    """What some pictures of a batch are given."""

    numbers: torch.Tensor  # of these pictures, int64
    value: torch.Tensor  # the input of the adapter for each
    #: Of images only: the hidden states of the image of zeros, and the weight of the tokens of every picture.
    nothing: torch.Tensor | None = None
    weights: torch.Tensor | None = None


Inputs = dict[str, Given]


class Adapters(nn.ModuleDict):
    """All adapters of a denoiser, which is not a part of it."""

    def __init__(self, unet: UNet2DConditionModel, hidden: int = 160):
        super().__init__()
        for kind in PICTURES:
            self[kind] = picture_adapter(kind)
        for kind in IMAGES:
            self[kind] = ImageAdapter(kind, unet, hidden)

    def attach(self, unet: UNet2DConditionModel) -> None:
        processors = dict(unet.attn_processors)
        for number, name in enumerate(cross_attentions(unet)):
            processors[name] = Attention(number)
        unet.set_attn_processor(processors)

    def predict(self, unet, noisy, times, states, inputs: Inputs) -> torch.Tensor:
        """The prediction of the denoiser, to which these adapters are attached."""
        count, features, images = len(noisy), None, []
        for kind, given in inputs.items():
            if kind in PICTURES:
                own = [feature.float() for feature in self[kind](given.value)]
                own = [f.new_zeros(count, *f.shape[1:]).index_copy(0, given.numbers, f) for f in own]
                features = [a + b for a, b in zip(features, own)] if features else own
            else:
                # Other pictures have the tokens of the image of zeros, or none.
                tokens = self[kind].image_proj(torch.cat([given.nothing, given.value]))
                spread = tokens[:1].repeat(count, 1, 1).index_copy(0, given.numbers, tokens[1:])
                images.append((self[kind], spread, given.weights))
        return unet(noisy, times, (states, images), down_intrablock_additional_residuals=features).sample

    def export(self, out: Path) -> None:
        """Writes f16 files that diffusers reads."""
        for kind, network in self.items():
            folder = out / kind
            folder.mkdir(parents=True, exist_ok=True)
            if kind in PICTURES:
                halved = picture_adapter(kind)
                halved.load_state_dict(network.state_dict())
                halved.half().save_pretrained(folder)
                config = json.loads((folder / "config.json").read_text())
                config.pop("_name_or_path", None)
            else:
                save_file(
                    {n: w.half() for n, w in network.state().items()}, folder / "ip-adapter.safetensors"
                )
                width, count = TOKENS[kind]
                config = {
                    "_class_name": "IPAdapterPlusImageProjection",
                    "embed_dims": 160,
                    "output_dims": 128,
                    "hidden_dims": width,
                    "depth": 4,
                    "dim_head": 64,
                    "heads": width // 64,
                    "num_queries": count,
                    "ffn_ratio": 4,
                }
            (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
            for file in folder.iterdir():
                file.chmod(0o644)


def split(file: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The state of an IP-Adapter as `load_ip_adapter` of a diffusers pipeline takes it."""
    state: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, weight in load_file(file).items():
        part, name = name.split(".", 1)
        state[part][name] = weight.float()
    return state


# ---- the encoder of images


class Eye:
    """Hidden states of images, (count, 65, 160): the input of `style` and `content`."""

    def __init__(self, folder: Path = MODELS / "sketch-clip"):
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).vision_model.eval()

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray | None) -> torch.Tensor:
        """`pictures` are u8 (count, 128, 128, 3). None: the image of zeros, which stands for no image."""
        x = torch.zeros(1, 3, SIDE, SIDE) if pictures is None else pixels(pictures)
        return self.model(x, output_hidden_states=True).hidden_states[-2]


# ---- the inputs of outline and scribble


def padded(x: torch.Tensor, kind: str) -> torch.Tensor:
    """Pads inputs at the right and at the bottom to whole cells."""
    side = CELL // SHRINK[kind]
    return F.pad(x, (0, -x.shape[-1] % side, 0, -x.shape[-2] % side))


def outline_input(lines: np.ndarray) -> torch.Tensor:
    """From dark lines on white paper, u8 (height, width) as large as the picture: 0 is paper, 1 is ink."""
    x = 1 - torch.from_numpy(np.array(lines))[None, None].float() / 255
    return padded(F.avg_pool2d(x, SHRINK["outline"], ceil_mode=True, count_include_pad=False), "outline")


def scribble_input(colours: np.ndarray) -> torch.Tensor:
    """From u8 (height, width, 4) in RGBA as large as the picture: red, green and blue in -1..=1, times alpha, and
    alpha in 0..=1."""
    x = torch.from_numpy(np.array(colours)).permute(2, 0, 1)[None].float() / 255
    x = torch.cat([(2 * x[:, :3] - 1) * x[:, 3:], x[:, 3:]], 1)
    return padded(F.avg_pool2d(x, SHRINK["scribble"], ceil_mode=True, count_include_pad=False), "scribble")


def blur(x: torch.Tensor, sigma: float) -> torch.Tensor:
    radius = max(1, math.ceil(2.5 * sigma))
    line = torch.exp(-(torch.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    line = (line / line.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), "replicate"), line, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, radius, radius), "replicate"), line.mT, groups=x.shape[1])


def slopes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sobel's slopes of pictures (count, 3, height, width): the length of the slope, and its parts, each
    (count, 1, height, width)."""
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).expand(x.shape[1], 1, 3, 3) / 4
    wide = F.pad(x, (1, 1, 1, 1), "replicate")
    across = F.conv2d(wide, kernel, groups=x.shape[1])
    down = F.conv2d(wide, kernel.mT, groups=x.shape[1])
    length = (across**2 + down**2).sum(1, keepdim=True).sqrt()
    return length, across.sum(1, keepdim=True), down.sum(1, keepdim=True)


def thinned(length: torch.Tensor, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Canny's ridges: lengths that no neighbour along the slope exceeds."""
    height, width = length.shape[-2:]
    wide = F.pad(length, (1, 1, 1, 1))
    angle = torch.atan2(down, across)
    sector = (angle / (math.pi / 4)).round().long() % 4
    ridge = torch.zeros_like(length)
    for number, (x, y) in enumerate(((1, 0), (1, 1), (0, 1), (-1, 1))):
        first = wide[..., 1 + y : 1 + y + height, 1 + x : 1 + x + width]
        second = wide[..., 1 - y : 1 - y + height, 1 - x : 1 - x + width]
        ridge += (sector == number) * ((length >= first) & (length > second))
    return length * ridge


def edges(pictures: torch.Tensor, sigma: float, share: float, thin: bool = True) -> torch.Tensor:
    """Lines of pictures in 0..=1, (count, 1, height, width): 1 is ink. About `share` of the pixels have strong
    slopes."""
    length, across, down = slopes(blur(pictures, sigma))
    sample = length.flatten(1)[:, ::7]
    high = sample.quantile(1 - share, 1).clamp(min=0.03).view(-1, 1, 1, 1)
    if not thin:
        return ((length - high) / (0.5 * high)).clamp(0, 1)
    ridge = thinned(length, across, down)
    weak, strong = ridge > 0.4 * high, ridge > high
    for _ in range(12):
        strong = (F.max_pool2d(strong.float(), 3, 1, 1) > 0) & weak
    return strong.float()


def bent(x: torch.Tensor, amount: float, coarse: int = 32) -> torch.Tensor:
    """Displaces pixels smoothly by about `amount`, as a hand does."""
    count, _, height, width = x.shape
    noise = torch.randn(count, 2, height // coarse + 2, width // coarse + 2)
    shift = F.interpolate(noise, (height, width), mode="bicubic", align_corners=True) * amount
    down, across = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    where = torch.stack([across + shift[:, 0] * 2 / width, down + shift[:, 1] * 2 / height], -1)
    return F.grid_sample(x, where, align_corners=True)


def outline(pictures: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Lines of pictures (count, 3, height, width) in 0..=1, as an adapter reads them. One random kind for all."""
    sigma = rng.choice((0.8, 1.2, 1.8, 2.6))
    thin = rng.random() < 0.65
    lines = edges(pictures, sigma, rng.uniform(0.04, 0.16), thin)
    if thin and rng.random() < 0.75:
        thickness = rng.choice((2, 3, 3, 5))
        grown = F.max_pool2d(F.pad(lines, ((thickness - 1) // 2, thickness // 2) * 2), thickness, 1)
        lines = blur(grown, 0.7).clamp(0, 1)
    if rng.random() < 0.45:
        amount = rng.uniform(0.5, 2.0)
        first = bent(lines, amount)
        # A sketch can have two strokes for a line.
        lines = torch.maximum(first, bent(lines, amount)) if rng.random() < 0.3 else first
    return F.avg_pool2d(lines, SHRINK["outline"]) * rng.choice((1.0, 1.0, rng.uniform(0.5, 1)))


def scribble(picture: np.ndarray, rng: random.Random) -> np.ndarray:
    """Rough colours of a picture, u8 (height, width, 3), at the size that an adapter reads."""
    height, width = picture.shape[:2]
    shrink = SHRINK["scribble"]
    image = Image.fromarray(picture).resize((width // shrink, height // shrink), Image.Resampling.BOX)
    kind = rng.choice(("blur", "median", "posterised", "posterised", "blocks"))
    if kind == "blur":
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 5)))
    elif kind == "blocks":
        size, cells = image.size, rng.choice((4, 6, 8, 12))
        image = image.resize((cells, max(2, round(cells * size[1] / size[0]))), Image.Resampling.BOX)
        image = image.resize(size, rng.choice((Image.Resampling.NEAREST, Image.Resampling.BILINEAR)))
    else:
        image = image.filter(ImageFilter.MedianFilter(rng.choice((3, 5, 7, 9))))
        if kind == "posterised":
            image = image.quantize(rng.randint(3, 9), rng.choice((0, 2)), dither=0).convert("RGB")
            image = image.filter(ImageFilter.ModeFilter(rng.choice((3, 5, 7))))
    return np.asarray(image)


def regions(count: int, height: int, width: int, rng: random.Random) -> torch.Tensor:
    """Random parts of pictures, (count, 1, height, width) of 0 and 1: everything, blobs, boxes."""
    masks = []
    for _ in range(count):
        chance = rng.random()
        if chance < 0.5:
            masks.append(torch.ones(1, height, width))
        elif chance < 0.75:
            noise = torch.randn(1, 1, rng.randint(3, 6), rng.randint(3, 6))
            grown = F.interpolate(noise, (height, width), mode="bicubic", align_corners=True)[0]
            masks.append((grown > rng.uniform(-0.7, 0.5)).float())
        else:
            wide, high = (rng.uniform(0.25, 0.9) for _ in range(2))
            left, top = rng.uniform(0, 1 - wide), rng.uniform(0, 1 - high)
            mask = torch.zeros(1, height, width)
            box = (
                slice(int(top * height), int((top + high) * height)),
                slice(int(left * width), int((left + wide) * width)),
            )
            mask[:, box[0], box[1]] = 1
            masks.append(mask if rng.random() < 0.8 else 1 - mask)
    return torch.stack(masks)
