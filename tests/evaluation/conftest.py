"""Features of real examples are kept in a folder of the tests' own."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory):
    before = os.environ.get("EVENODDS_CACHE")
    os.environ["EVENODDS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["EVENODDS_CACHE"]
    else:
        os.environ["EVENODDS_CACHE"] = before
