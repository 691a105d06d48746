"""A run directory: all that training leaves behind, and the only thing that everything else reads."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import torch

from . import __version__
from .config import Config, differences, load_config
from .errors import ConfigError, RunError
from .files import remove_stale, write_text

# A longer run, another number of cores, or other wishes about when to stop: the same run.
MAY_CHANGE = frozenset({"examples", "threads", "on_trouble", "until"})
# by a run alone
WRITTEN = r"config\.yaml|environment\.json|(metrics|evaluations)\.jsonl|generator(-best)?\.safetensors"


class Run:
    """The files of one run; locked against other processes while it is open.

    Args:
        directory: of the run; made if it is missing.
        config: what is to be trained.

    Raises:
        RunError: another process trains there, or the folder belongs to something else.
        ConfigError: the run was begun under another config; the differences are listed.
    """

    def __init__(self, directory: Path, config: Config) -> None:
        self.directory = directory
        self.config_file = directory / "config.yaml"
        self.metrics_file = directory / "metrics.jsonl"
        self.samples = directory / "samples"
        self.checkpoints = directory / "checkpoints"
        self.generator_file = directory / "generator.safetensors"
        self._lock = self._locked()
        try:
            self._begin(config)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes have it."""
        self._lock.release()

    def record(self, line: Mapping[str, Any]) -> None:
        """Append one JSON object to metrics.jsonl, in a single write.

        Raises:
            RunError: the disk is full or the file can't be written to.
        """
        text = json.dumps(line) + "\n"
        try:
            with self.metrics_file.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise RunError(
                f"{self.metrics_file} could not be written ({error.strerror}); free some space"
            ) from error

    def forget_after(self, examples: int) -> None:
        """Drop what was recorded after the checkpoint that training goes on from, and a line cut short.

        Args:
            examples: training examples that the checkpoint had seen; -1 for none, to drop everything.
        """
        kept = [line for line in self.lines() if line.get("examples", 0) <= examples]
        write_text(self.metrics_file, "".join(json.dumps(line) + "\n" for line in kept))
        for picture in self.samples.glob("*.png"):
            if picture.stem.isdigit() and int(picture.stem) > examples:
                picture.unlink()

    def lines(self) -> Iterator[dict[str, Any]]:
        """What metrics.jsonl holds; a line that a kill cut short is passed over."""
        if not self.metrics_file.exists():
            return
        for text in self.metrics_file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line

    def checkpoint_files(self) -> list[Path]:
        """Checkpoints, the oldest first."""
        return sorted(path for path in self.checkpoints.glob("*.safetensors") if path.stem.isdigit())

    def checkpoint_file(self, examples: int) -> Path:
        """Where the checkpoint after so many examples goes."""
        return self.checkpoints / f"{examples:010d}.safetensors"

    def prune(self, newest: int, keep: int | None) -> None:
        """Delete checkpoints but the newest and, of the others, the first after each multiple of `keep`.

        Args:
            newest: how many of them stay.
            keep: training examples.
        """
        before = 0
        for path in self.checkpoint_files()[:-newest]:
            seen = int(path.stem)
            if not (keep and seen // keep != before // keep):
                path.unlink(missing_ok=True)
            before = seen

    def _locked(self) -> filelock.BaseFileLock:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._refuse_foreign()  # before the lock: not even that is put among someone else's files
            lock = filelock.FileLock(self.directory / ".lock")
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RunError(
                f"{self.directory} is in use by another process; wait for it or give another --dir"
            ) from None
        except OSError as error:
            raise RunError(
                f"{self.directory} can't be used ({error.strerror}); give another --dir"
            ) from error
        return lock

    def _begin(self, config: Config) -> None:
        if self.config_file.exists():
            changed = differences(load_config(self.config_file), config, ignoring=MAY_CHANGE)
            if changed:
                listed = "; ".join(changed)
                raise ConfigError(
                    f"{self.directory} was begun under another config ({listed}); "
                    "resume it with its own, or start a new run"
                )
        config.save(self.config_file)  # first of all: a folder with anything else and no config is no run
        remove_stale(self.directory, WRITTEN)
        for folder in (self.samples, self.checkpoints):
            folder.mkdir(exist_ok=True)
            remove_stale(folder)
        self._note_environment(config)

    def _refuse_foreign(self) -> None:
        ours = re.compile(r"\.(lock|config\.yaml\..*\.tmp)")  # of a run that begins now, or was killed then
        others = [path for path in self.directory.iterdir() if not ours.fullmatch(path.name)]
        if others and not self.config_file.exists():
            raise RunError(f"{self.directory} holds other files and no run; give an empty or new --dir")

    def _note_environment(self, config: Config) -> None:
        path = self.directory / "environment.json"
        try:
            sessions = json.loads(path.read_text(encoding="utf-8"))["sessions"] if path.exists() else []
            text = json.dumps({"sessions": [*sessions, environment(config.device)]}, indent=2)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise RunError(
                f"{path} is damaged ({error}); delete it, training does not depend on it"
            ) from None
        write_text(path, text + "\n")


def has_checkpoint(directory: Path) -> bool:
    """Whether a folder is a run that training can go on with."""
    return any(path.stem.isdigit() for path in (directory / "checkpoints").glob("*.safetensors"))


def environment(device: str) -> dict[str, Any]:
    """What a result depends on beside the config: versions, machine, commit, command."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "evenodds": __version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device_name(torch.device(resolve_device(device))),
    }


def git_commit() -> str | None:
    """The commit of the source tree this runs from, None where it is installed without one."""
    folder = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        names = re.findall(
            r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
        )
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def resolve_device(device: str) -> str:
    """`auto` is the first accelerator, else the CPU.

    Raises:
        ConfigError: no such device on this machine.
    """
    if device == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found.type if found else "cpu"
    try:
        torch.zeros(1, device=device).item()  # a device without values, such as meta, is none to train on
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ConfigError(
            f"device {device!r} is not to be had on this machine; set device=auto or cpu"
        ) from None
    return device


def device_name(device: torch.device) -> str:
    """What to call it in a report."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def new_run_directory(base: Path, recipe: str) -> Path:
    """base/00000-recipe, or the next free number; made at once, so that two processes never share one.

    Raises:
        RunError: `base` can't hold it.
    """
    try:
        base.mkdir(parents=True, exist_ok=True)
        while True:
            directory = next_run_directory(base, recipe)
            try:
                directory.mkdir()
            except FileExistsError:
                continue  # another process was faster
            return directory
    except OSError as error:
        raise RunError(f"{base} can't hold runs ({error.strerror}); give another --dir") from error


def next_run_directory(base: Path, recipe: str) -> Path:
    """What `new_run_directory` would make now."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", recipe)
    others = [path.name for path in base.iterdir()] if base.is_dir() else []
    taken = [int(found[1]) for found in (re.match(r"(\d{5,})-", other) for other in others) if found]
    return base / f"{max(taken, default=-1) + 1:05d}-{name}"
