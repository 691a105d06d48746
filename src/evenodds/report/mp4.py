"""Films as .mp4, by the program ffmpeg where the user has it: Python's own libraries have no encoder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ..errors import RunError
from ..files import write_with


def write_mp4(path: Path, pictures: Sequence[Image.Image], times: Sequence[int]) -> Path:
    """Write pictures of one size as H.264 at a constant rate; the file.

    Args:
        path: ending in .mp4.
        pictures: RGB.
        times: milliseconds of each; the first one's is the rate, and a longer one is shown several times.

    Raises:
        RunError: there is no ffmpeg, it fails, or the file can't be written.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise RunError(
            f"{path} needs the program ffmpeg, which is not installed; install it, or end the name in .webp "
            "or .gif"
        )
    width, height = (side - side % 2 for side in pictures[0].size)  # the codec halves the colours' resolution
    each = min(times)
    frames = [
        picture.convert("RGB").crop((0, 0, width, height)).tobytes()
        for picture, time in zip(pictures, times, strict=True)
        for _ in range(round(time / each))
    ]
    command = [
        *(program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{width}x{height}", "-r", f"{1000 / each:.4f}", "-i", "-"),
        *("-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"),
    ]

    def write(file: Path) -> None:
        done = subprocess.run([*command, str(file)], input=b"".join(frames), capture_output=True, check=False)
        if done.returncode:
            reason = " ".join(done.stderr.decode(errors="replace").split())[:200]
            raise RunError(f"ffmpeg could not write {path} ({reason}); end the name in .webp or .gif")

    write_with(path, write)
    return path
