"""Options with which each network is small enough for the contract tests; a family adds its own line."""

from __future__ import annotations

from typing import Any

TINY: dict[str, dict[str, Any]] = {
    "generator dcgan": {"width": 8},
    "discriminator dcgan": {"width": 8},
    "generator sngan": {"widths": [8]},
    "discriminator sngan": {"widths": [8]},
    "generator stylegan2": {"style_dim": 16, "mapping_layers": 2, "channel_base": 128, "channel_max": 8},
    "discriminator stylegan2": {"channel_base": 128, "channel_max": 8},
    "generator r3gan": {"width": 8, "widths": None},
    "discriminator r3gan": {"width": 8, "widths": None},
}
