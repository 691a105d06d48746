"""movie.webp: the samples of the same latents, from noise to the end."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, features

from ..errors import RunError
from ..files import write_with
from .frames import choose, load, sample_frames
from .mp4 import write_mp4

WIDEST = 1_024  # pixels
LAST_MS = 2_000  # the end is what people want to look at
SHORTEST_MS, LONGEST_MS = 20, 1_000  # under 20 ms browsers play at a speed of their own


def write_movie(run: Path, *, seconds: float = 8.0, maximum_frames: int = 120) -> Path:
    """Write movie.webp, or movie.gif where Pillow lacks WebP, from samples/*.png.

    Args:
        seconds: from the first frame to the last, which then stays for two seconds; few frames play faster.
        maximum_frames: where there are more pictures, that many evenly chosen ones.

    Raises:
        RunError: there is no picture yet, or the file can't be written.
    """
    if not seconds > 0 or maximum_frames < 1:
        raise RunError(
            f"a movie of {seconds} seconds and at most {maximum_frames} frames can't be made; "
            "give more than 0 seconds and at least 1 frame"
        )
    frames = choose(sample_frames(run), maximum_frames)
    if not frames:
        raise RunError(f"{run / 'samples'} holds no intact picture; let the run train until it has drawn one")
    pictures = [load(frame, widest=WIDEST) for frame in frames]
    return save_movie(run / "movie", pictures, seconds=seconds)


def save_movie(
    path: Path, pictures: list[Image.Image], *, seconds: float, last_ms: int | None = LAST_MS
) -> Path:
    """Write pictures of one size as a film; the file.

    Args:
        path: of the file; .webp, .gif or .mp4 (by ffmpeg) say which kind, and without an ending it becomes an
            animated WebP, or a GIF where Pillow lacks WebP.
        pictures: RGB, at least one.
        seconds: from the first to the last.
        last_ms: milliseconds that the last one then stays; None for a loop, where all stay as long.

    Raises:
        RunError: the file can't be written, or there is no ffmpeg.
    """
    times = durations(len(pictures), seconds, last_ms)
    if path.suffix == ".mp4":
        return write_mp4(path, pictures, times)
    if path.suffix in (".webp", ".gif"):
        return (_write_webp if path.suffix == ".webp" else _write_gif)(path, pictures, times)
    if features.check("webp"):
        return _write_webp(path.with_name(f"{path.name}.webp"), pictures, times)
    return _write_gif(path.with_name(f"{path.name}.gif"), pictures, times)


def durations(count: int, seconds: float, last_ms: int | None = LAST_MS) -> list[int]:
    """Milliseconds of each of `count` frames: all but the last share `seconds`, the last stays `last_ms`."""
    each = min(max(round(1000 * seconds / max(1, count - 1)), SHORTEST_MS), LONGEST_MS)
    return [each] * (count - 1) + [each if last_ms is None else last_ms]


def _write_webp(path: Path, pictures: list[Image.Image], times: list[int]) -> Path:
    first, *rest = pictures
    # Lossless is larger here and no faster.  Every fifth frame is whole, because the encoder leaves out
    # small differences between neighbours, and they add up.
    write_with(
        path,
        lambda file: first.save(
            file, format="WEBP", save_all=True, append_images=rest, duration=times, loop=0, method=0,
            quality=80, kmin=3, kmax=5,
        ),
    )  # fmt: skip
    return path


def _write_gif(path: Path, pictures: list[Image.Image], times: list[int]) -> Path:
    # One palette, from first, middle and last: Pillow alone would seek one for every frame, for 30 seconds.
    shown = [pictures[0], pictures[len(pictures) // 2], pictures[-1]]
    together = Image.new("RGB", (shown[0].width, 3 * shown[0].height))
    for index, picture in enumerate(shown):
        together.paste(picture, (0, index * picture.height))
    palette = together.quantize(256, method=Image.Quantize.FASTOCTREE)
    first, *rest = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    write_with(
        path,
        lambda file: first.save(
            file, format="GIF", save_all=True, append_images=rest, duration=times, loop=0, optimize=False
        ),
    )
    return path
