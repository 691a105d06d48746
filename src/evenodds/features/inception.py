"""The features that FID, KID and the Inception score are defined with, from weights that the user provides.

Nothing is downloaded here: the file's path is given, or REMOTE is fetched explicitly (see `weights`).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from ..download import RemoteFile
from ..errors import DataError
from .extractor import Features
from .fast import FastInception
from .inception_network import CLASSES, FEATURES, InceptionNetwork
from .pixels import in_batches
from .resizing import check_mode, preprocess

FILE = "pt_inception-2015-12-05-6726825d.pth"
# TensorFlow's weights of 2015-12-05 as M. Seitzer ported them (pytorch-fid, Apache-2.0); torch-fidelity
# releases the same bytes as weights-inception-2015-12-05-6726825d.pth.  The name carries the first digits of
# the SHA-256; several unrelated projects publish all 64, and the length, of what they got from either place.
REMOTE = RemoteFile(
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/" + FILE,
    95_628_359,
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
REMEDY = f"give {FILE}, or run: evenodds extractors fetch inception"
LARGEST = 1 << 30  # bytes: ten times the file's; what is larger is something else and is not read
BATCH = {"cpu": 16, "cuda": 128}  # images at a time


class Inception:
    """See `FeatureExtractor`: 2,048 features, and 1,008 logits as the Inception score takes them.

    Args:
        network: with the weights, in evaluation mode.
        sha256: of the file that they came from.
        preprocessing: a key of `resizing.MODES`.
        device: where it runs.
        fast: rearranged, and in the type of `fast_type`; else layer for layer in float32.
    """

    def __init__(
        self, network: InceptionNetwork, sha256: str, *, preprocessing: str, device: str, fast: bool
    ) -> None:
        self.name = "inception"
        self.sha256 = sha256
        self.preprocessing = check_mode(preprocessing)
        self.dim = FEATURES
        self.classes = CLASSES
        self.published = sha256 == REMOTE.sha256  # else its distances are not comparable to anyone's FID
        self._device = torch.device(device)
        self._last = network.fc.weight.detach().to(self._device)
        self._forward: nn.Module = network
        self.precision = "float32"
        if fast:
            kind = fast_type(self._device)
            self._forward, self.precision = FastInception(network, kind), str(kind).removeprefix("torch.")
        self._forward.to(self._device)

    def __call__(self, images: Tensor) -> Features:
        """Features of uint8 images (N, 1, 3 or 4, H, W) of any size, see `resizing.preprocess`."""
        return in_batches(images, BATCH.get(self._device.type, 16), self._extracted)

    def _extracted(self, images: Tensor) -> Features:
        x = preprocess(images.to(self._device), self.preprocessing)
        features: Tensor = self._forward(x)
        return Features(features, features @ self._last.T)


def fast_type(device: torch.device) -> torch.dtype:
    """bfloat16 on processors that multiply it faster than float32, else float32.

    On NVIDIA GPUs, convolutions of float32 are TF32 unless PyTorch is told otherwise: three bits more.
    """
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return torch.float32
    abilities = torch.cpu.get_capabilities()
    return torch.bfloat16 if abilities.get("avx512_bf16") or abilities.get("amx_bf16") else torch.float32


def load_inception(
    path: str | Path, *, preprocessing: str = "tf", device: str = "cpu", fast: bool = True
) -> Inception:
    """The Inception-v3 of 2015-12-05 with the weights of a file.

    Args:
        path: FILE, or the same names and shapes in a .safetensors or weights-only .pth file.
        preprocessing: a key of `resizing.MODES`.
        device: where it runs.
        fast: see `Inception`.

    Raises:
        DataError: the file can't be read, or is not this network's weights.
        ConfigError: there is no such preprocessing.
    """
    check_mode(preprocessing)
    file = Path(path)
    content = _content(file)
    weights = _checked(file, _tensors(file, content))
    with torch.device("meta"):  # weights that would be drawn only to be replaced
        network = InceptionNetwork()
    network.load_state_dict(weights, assign=True)
    network.eval().requires_grad_(False)
    digest = hashlib.sha256(content).hexdigest()
    return Inception(network, digest, preprocessing=preprocessing, device=device, fast=fast)


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError(f"{path} has {size} bytes, Inception's weights {REMOTE.bytes}; {REMEDY}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror}); {REMEDY}") from error


def _tensors(path: Path, content: bytes) -> Mapping[object, object]:
    """What the file holds by name; reading it runs no code that is in it."""
    found: object
    try:
        if path.suffix == ".safetensors":
            found = safetensors.torch.load(content)
        elif _is_program(content):
            raise DataError(f"{path} is a TorchScript program, which is not run; {REMEDY}")
        else:
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except DataError:
        raise
    except Exception as error:  # of arbitrary bytes, any kind
        known = "" if len(content) >= REMOTE.bytes else f" and has {len(content)} of {REMOTE.bytes} bytes"
        raise DataError(f"{path} can't be read as a file of weights only{known}; {REMEDY}") from error
    if not isinstance(found, Mapping):
        raise DataError(f"{path} holds a {type(found).__name__}, not weights by name; {REMEDY}")
    return found


def _is_program(content: bytes) -> bool:
    """A TorchScript archive has its source code in it."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return False
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return any("/code/" in name for name in archive.namelist())


def _checked(path: Path, found: Mapping[object, object]) -> dict[str, Tensor]:
    """The weights that the network needs, float32.

    Raises:
        DataError: missing, superfluous, misshapen or not finite.
    """
    with torch.device("meta"):
        wanted = InceptionNetwork().state_dict()
    if "AuxLogits.fc.weight" in found:
        raise DataError(f"{path} holds torchvision's Inception, which no FID is computed with; {REMEDY}")
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in found and name not in counters]
    surplus = [str(name) for name in found if name not in wanted]
    for kind, names in (("lacks", missing), ("also holds", surplus)):
        if names:
            more = f" and {len(names) - 1} others" if len(names) > 1 else ""
            raise DataError(f"{path} is not Inception's weights: it {kind} {names[0]}{more}; {REMEDY}")
    weights = {name: torch.tensor(0) for name in counters}
    for name in wanted.keys() - counters:
        weights[name] = _weight(path, name, found[name], wanted[name].shape)
    return weights


def _weight(path: Path, name: str, value: object, shape: torch.Size) -> Tensor:
    """One tensor as float32.

    Raises:
        DataError: another kind, shape or value than a weight of that name has.
    """
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise DataError(f"{path} is not Inception's weights: {name} is no tensor of floats; {REMEDY}")
    if value.shape != shape:
        raise DataError(
            f"{path} is not Inception's weights: {name} has the shape {tuple(value.shape)}, "
            f"not {tuple(shape)}; {REMEDY}"
        )
    if not value.isfinite().all() or (name.endswith("running_var") and (value < 0).any()):
        raise DataError(f"{path} is damaged: {name} has values that no weight has; {REMEDY}")
    return value.to(torch.float32)
