#!/usr/bin/env python3
"""Calls as they come on a day, and then very many at once, on the deployed stack: what was held, that it drained, and that
nothing was lost.

    tests/run load                                       two a second for half a minute, then 200 at once
    tests/run load --rate 5 --seconds 60 --burst 1000
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import scenario  # noqa: E402

if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    scenario.main("load", sys.argv[1:])
