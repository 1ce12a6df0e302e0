"""The network that reads latents: an embedding in the space of sketch-clip, and feature maps.

Latent-CLIP (Becker et al. 2025, arXiv:2503.08455) scores latents without decoding them. This network is small, because
guidance computes its gradient in every step. It has no normalisation and no positions, so latents of all sizes give
comparable embeddings and features.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from principal import CHANNELS

FINE, COARSE = 64, 128  # channels of the feature maps
BLOCKS = 1  # in each part
HIDDEN, PROJECTION = 192, 128  # of the embedding


class LatentClip(nn.Module):
    """Maps latents (batch, 32, height, width), both at least 6, to unit vectors (batch, 128)."""

    def __init__(self, blocks: int = BLOCKS):
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, FINE, 1)
        self.fine = nn.ModuleList(nn.Conv2d(FINE, FINE, 3, padding=1) for _ in range(blocks))
        self.down = nn.Conv2d(FINE, COARSE, 3, stride=2, padding=1)
        self.coarse = nn.ModuleList(nn.Conv2d(COARSE, COARSE, 3, padding=1) for _ in range(blocks))
        self.head = nn.ModuleList([nn.Linear(COARSE, HIDDEN), nn.Linear(HIDDEN, PROJECTION)])

    def features(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The fine features, (batch, 64, height, width), and the coarse ones, (batch, 128, height / 2, width / 2),
        rounded up."""
        fine = self.stem(latents)
        for conv in self.fine:
            fine = fine + conv(F.silu(fine))
        coarse = self.down(F.silu(fine))
        for conv in self.coarse:
            coarse = coarse + conv(F.silu(coarse))
        return fine, coarse

    def embedding(self, coarse: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Embeds coarse features. The mask of latents, (batch, 1, height, width), has weights in 0..=1, not all 0."""
        x = F.silu(coarse)
        if mask is None:
            x = x.mean((2, 3))
        else:
            weights = coarser(mask)
            x = (x * weights).sum((2, 3)) / weights.sum((2, 3))
        return F.normalize(self.head[1](F.silu(self.head[0](x))), dim=-1)

    def forward(self, latents: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.embedding(self.features(latents)[1], mask)

    def save(self, file: Path) -> None:
        save_file({name: values.half().contiguous() for name, values in self.state_dict().items()}, file)
        file.chmod(0o644)

    @staticmethod
    def load(file: Path) -> LatentClip:
        values = {name: values.float() for name, values in load_file(file).items()}
        network = LatentClip(sum(name.startswith("fine.") and name.endswith("weight") for name in values))
        network.load_state_dict(values)
        return network.eval()


def coarser(mask: torch.Tensor) -> torch.Tensor:
    """Averages 2 x 2 latents of a mask. Latents beyond an odd edge count as 0."""
    return F.avg_pool2d(F.pad(mask, (0, mask.shape[-1] % 2, 0, mask.shape[-2] % 2)), 2)


def gram(features: torch.Tensor) -> torch.Tensor:
    """The Gram matrices of features (batch, channels, height, width): mean products of two channels."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[-1]
