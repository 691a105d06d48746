"""How much memory a device has left, and how much a piece of work takes at its peak."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PROC = Path("/proc/self")
CGROUPS = Path("/sys/fs/cgroup")
PHYSICAL_SHARE = 0.75  # of all memory, taken for free where the system tells no more than that


def free_bytes(device: torch.device) -> int | None:
    """What this process can still take on the device; None where that can't be known.

    On a CPU the least of: what the system calls available, what is left of the limits of the process's
    control groups (a container's, a batch job's), and of its own limit on address space (`ulimit -v`).
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type != "cpu":
        return None
    found = [_available(), *_group_limits(), _address_space()]
    return min((value for value in found if value is not None), default=None)


class Meter:
    """Peaks of memory above what was in use when the meter was made.

    On CUDA the allocator keeps count.  On Linux the kernel does, and its mark can be put back; elsewhere it
    can't, and only a peak above all earlier ones is seen.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._base: int | None
        self._base = torch.cuda.memory_allocated(device) if device.type == "cuda" else _resident()

    def peak(self, work: Callable[[], object]) -> int | None:
        """Bytes above the beginning that were in use at the worst moment of `work()`; None if unknown."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            work()
            return torch.cuda.max_memory_allocated(self._device) - (self._base or 0)
        exact, before = _forget_peak(), _highest()
        work()
        after = _highest()
        if self._base is None or after is None or not (exact or after > (before or 0)):
            return None
        return after - self._base


def _resident() -> int | None:
    """Bytes of this process that are in memory now, the most that ever were where only that is known."""
    return _status("VmRSS") or _highest()


def _highest() -> int | None:
    """The most bytes of this process that were in memory at a time."""
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _forget_peak() -> bool:
    """Let VmHWM start anew from what is in memory now; whether that could be done."""
    try:
        (PROC / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _status(name: str) -> int | None:
    """A size in /proc/self/status, in bytes."""
    with contextlib.suppress(OSError):
        found = re.search(rf"^{name}:\s+(\d+) kB", (PROC / "status").read_text("utf-8"), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None


def _available() -> int | None:
    with contextlib.suppress(OSError):
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
        if found := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
            return int(found[1]) * 1024
    with contextlib.suppress(AttributeError, ValueError, OSError):  # no such call, or no such name in it
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * PHYSICAL_SHARE)
    return None


def _address_space() -> int | None:
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _status("VmSize")
    return None if limit == resource.RLIM_INFINITY or used is None else max(limit - used, 0)


def _group_limits() -> Iterator[int]:
    """What is left of the memory limit of each control group that the process is in, of both versions."""
    with contextlib.suppress(OSError):
        for line in (PROC / "cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, inside = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            root = CGROUPS / "memory" if controllers else CGROUPS
            # inside a container the mount may show its own group only, at the root
            folder = root / inside.lstrip("/")
            for place in (folder, *folder.parents):
                if place.is_relative_to(root) and (left := _left(place, old=bool(controllers))) is not None:
                    yield left


def _left(folder: Path, *, old: bool) -> int | None:
    """Limit − usage + file pages that the kernel would give up first; None without a limit."""
    limit, used = ("limit_in_bytes", "usage_in_bytes") if old else ("max", "current")
    try:
        numbers = [int((folder / f"memory.{name}").read_text("ascii")) for name in (limit, used)]
        stat = (folder / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):  # no such group, or "max"
        return None
    found = re.search(r"^(?:total_)?inactive_file (\d+)", stat, re.MULTILINE)
    return max(numbers[0] - numbers[1] + (int(found[1]) if found else 0), 0)
