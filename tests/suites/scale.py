#!/usr/bin/env python3
"""How much the reconciler and the cleanup read when few of very many appointments are due.

    tests/scale                          1,000 and 200,000 stored, 100 due; takes some minutes
    tests/scale --stored 1000,50000 --due 50
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "infra/local"))
from frontdesk_local import tools  # noqa: E402


def main():
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    tools.run_inside()
    from frontdesk_local import trial

    trial.build("scale")
    sys.exit(trial.run("scale", sys.argv[1:]))


if __name__ == "__main__":
    main()
