#!/usr/bin/env python3
"""How much the reconciler and the cleanup read when few of very many appointments are due, and how many appointments a second
the keys of the indexes carry.

    tests/run scale                          1,000 and 200,000 stored, 100 due; takes some minutes
    tests/run scale --stored 1000,50000 --due 50
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import scenario  # noqa: E402

if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    # A schedule's own run would process what is to be counted.
    scenario.main("scale", sys.argv[1:], Schedules="DISABLED")
