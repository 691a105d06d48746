"""Checkpoints: all that the next step depends on, in one safetensors file that is whole or absent."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from .algorithm import GAN
from .ema import EMA
from .errors import RunError
from .files import write_with

FORMAT = 1
REASON = 200  # characters of a library's own message within ours


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], kind: str) -> None:
    """Write tensors and a JSON header with their SHA-256, atomically.

    Args:
        path: of the file.
        tensors: by name; moved to the CPU.
        facts: anything JSON can hold.
        kind: "checkpoint" or "generator", so that one is never taken for the other.

    Raises:
        RunError: the disk is full or the folder can't be written to.
    """
    still = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"format": FORMAT, "kind": kind, **facts}
    header["sha256"] = _digest(still, json.dumps(header))
    # not safetensors' own save_file: it hides a full disk, leaves temporary files of its own when killed, and
    # makes a file that only its owner can read
    write_with(path, lambda temporary: temporary.write_bytes(save(still, {"evenodds": json.dumps(header)})))


def load_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and header of a file that `save_tensors` wrote.

    Args:
        path: of the file.
        kind: "checkpoint" or "generator".

    Raises:
        RunError: missing, cut short, changed, not ours, of the other kind, or of a newer format.
    """
    if not path.is_file():
        raise RunError(f"{path} does not exist; give the path of a run or of a {kind} file")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("evenodds", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        reason = textwrap.shorten(str(error), REASON)
        raise RunError(f"{path} is damaged or no safetensors file ({reason}); use another copy") from None
    if not isinstance(header, dict) or header.get("kind") not in ("checkpoint", "generator"):
        raise RunError(f"{path} was not written by evenodds; give a {kind} file that evenodds wrote")
    if header["kind"] != kind:
        raise RunError(f"{path} is a {header['kind']}, not a {kind}; give a {kind} file")
    if header.get("format") != FORMAT:
        newer = f"{path} has format {header.get('format')}, this version reads format {FORMAT}"
        raise RunError(f"{newer}; install the evenodds that wrote it, or a newer one")
    sha256 = header.pop("sha256", None)
    # the first files' digest was of the tensors alone
    if sha256 not in (_digest(tensors, json.dumps(header)), _digest(tensors)):
        raise RunError(f"{path} is damaged (its SHA-256 does not match); use another copy")
    return tensors, header


def game_tensors(gan: GAN, ema: EMA) -> dict[str, Tensor]:
    """Everything that training has learnt or drawn, by name: players, optimizers, average, random states."""
    tensors = {"random/cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        for index, state in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"random/cuda{index}"] = state
    for name, network in _networks(gan, ema).items():
        tensors |= {f"{name}/{key}": value for key, value in network.state_dict().items()}
    for name, optimizer in _optimizers(gan).items():
        for index, state in optimizer.state_dict()["state"].items():
            kept = {entry: value for entry, value in state.items() if value is not None}
            tensors |= {f"{name}/{index}/{entry}": value for entry, value in kept.items()}
    return tensors


def restore_game(tensors: Mapping[str, Tensor], gan: GAN, ema: EMA, path: Path) -> None:
    """Put what `game_tensors` took back in place.

    Args:
        tensors: of a checkpoint.
        gan: its players, optimizers and random states are overwritten.
        ema: its average is overwritten.
        path: of the checkpoint, for the message.

    Raises:
        RunError: the file belongs to other networks.
    """
    try:
        for name, network in _networks(gan, ema).items():
            network.load_state_dict(below(tensors, name))
        for name, optimizer in _optimizers(gan).items():
            restore_optimizer(optimizer, below(tensors, name))
        torch.set_rng_state(tensors["random/cpu"])
        for index in range(torch.cuda.device_count()):
            if f"random/cuda{index}" in tensors:
                torch.cuda.set_rng_state(tensors[f"random/cuda{index}"], index)
    except (RuntimeError, TypeError, ValueError, LookupError) as error:
        reason = textwrap.shorten(str(error), REASON)
        raise RunError(
            f"{path} belongs to other networks ({reason}); resume with the run's own config"
        ) from None


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back the state whose names are "number of the weight/entry"; rates are set anew at every step."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, entry = key.partition("/")
        shape = parameters[int(index)].shape
        if value.ndim and value.shape != shape:
            raise ValueError(f"{key} of shape {tuple(value.shape)} for a weight of {tuple(shape)}")
        if value.ndim:  # in the layout of its weight, which fused optimizers take for granted
            value = torch.empty_like(parameters[int(index)], dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[entry] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def first_non_finite(named: Iterable[tuple[str, Tensor]]) -> str | None:
    """The name of the first tensor that holds an infinity or a NaN."""
    for name, tensor in named:
        # a sum is one pass without a mask; only a suspicious one is looked at closely: sums overflow, too
        if not torch.isfinite(tensor.detach().sum()) and not torch.isfinite(tensor).all():
            return name
    return None


def weights(gan: GAN) -> Iterable[tuple[str, Tensor]]:
    """Every weight and running statistic of both players with its full name."""
    for player, network in (("discriminator", gan.discriminator), ("generator", gan.generator)):
        for name, value in (*network.named_parameters(), *network.named_buffers()):
            if value.is_floating_point():
                yield f"{player}.{name}", value


def _networks(gan: GAN, ema: EMA) -> dict[str, nn.Module]:
    networks = {"generator": gan.generator, "discriminator": gan.discriminator, "ema": ema.generator}
    return networks | ({"augment": gan.augment} if isinstance(gan.augment, nn.Module) else {})


def _optimizers(gan: GAN) -> dict[str, Optimizer]:
    return {
        "generator_optimizer": gan.generator_optimizer,
        "discriminator_optimizer": gan.discriminator_optimizer,
    }


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin with "prefix/", without it."""
    return {key.removeprefix(f"{prefix}/"): t for key, t in tensors.items() if key.startswith(f"{prefix}/")}


def _digest(tensors: Mapping[str, Tensor], header: str = "") -> str:
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
