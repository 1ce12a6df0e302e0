"""What every part of the reference shares: where fixtures lie, seeds, weights, and how tensors are saved."""

import json
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file

FIXTURES = Path(__file__).parent / "fixtures"


def make_deterministic():
    """Everything runs on one thread with deterministic kernels, so that a second run gives the same bytes."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_grad_enabled(False)


def generator(name):
    """A random generator whose seed is a checksum of `name`: adding one fixture never changes another."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def randn(name, *shape):
    return torch.randn(*shape, generator=generator(name))


def randomise(module, name, conv_gain=1.0):
    """Fills a module with weights that hide no fault.

    Norms scale by about 1 +- 0.2 and shift, biases are not zero, no output is initialised with zeros, and matrices
    keep the variance of what passes through them.
    """
    source = generator(name)
    norms = (torch.nn.GroupNorm, torch.nn.LayerNorm)
    for _, child in sorted(module.named_modules()):
        for key, weight in sorted(child.named_parameters(recurse=False)):
            noise = torch.randn(weight.shape, generator=source)
            if isinstance(child, norms):
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
    """Records the output of each named submodule under its own name while the module runs."""

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
