"""Branches: short continuations of a run from one checkpoint, and which of them helped.

plans.py    what is asked for: one branch per change, and one without, as the control
starts.py   a branch's directory, with the parent's checkpoint as its own first one
verdicts.py all branches' generators before the same fresh probes
"""

from __future__ import annotations

from .plans import CONTROL as CONTROL
from .plans import Branch as Branch
from .plans import plan_branches as plan_branches
from .starts import examples_seen as examples_seen
from .starts import start as start
from .verdicts import Judged as Judged
from .verdicts import judge as judge
