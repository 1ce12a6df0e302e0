"""Shared helpers: fixture paths, seeds, random weights, and saving tensors."""

import json
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file

FIXTURES = Path(__file__).parent / "fixtures"


def make_deterministic():
    """Uses one thread and deterministic kernels, so that every run gives the same bytes."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_grad_enabled(False)


def generator(name):
    """A generator seeded with a checksum of `name`, so that a new fixture never changes existing ones."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def randn(name, *shape):
    return torch.randn(*shape, generator=generator(name))


def randomise(module, name, conv_gain=1.0):
    """Fills a module with random weights that reveal errors.

    Norm scales are 1 +- 0.2 with random shifts, no bias or output layer is zero, and matrices keep the variance of
    their input.
    """
    source = generator(name)
    norms = (torch.nn.GroupNorm, torch.nn.LayerNorm)
    for _, child in sorted(module.named_modules()):
        for key, weight in sorted(child.named_parameters(recurse=False)):
            noise = torch.randn(weight.shape, generator=source)
            if isinstance(child, norms) or "RMSNorm" in type(child).__name__:
                noise = 1 + 0.2 * noise if key == "weight" else 0.2 * noise
            elif isinstance(child, torch.nn.Embedding):
                noise = 0.5 * noise
            elif key == "bias":
                noise = 0.1 * noise
            else:
                noise = noise * conv_gain / weight[0].numel() ** 0.5
            weight.copy_(noise)
    return module.eval()


def observe(module, names, record):
    """Adds forward hooks that record the output of each named submodule. Returns the hooks."""

    def hook(name):
        def keep(_module, _inputs, output):
            record[name] = output[0] if isinstance(output, tuple) else output

        return keep

    children = dict(module.named_modules())
    return [children[name].register_forward_hook(hook(name)) for name in names]


def save_tensors(path, tensors):
    path = FIXTURES / path
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().contiguous().clone() for key, value in sorted(tensors.items())}, path)


def save_json(path, value):
    path = FIXTURES / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
