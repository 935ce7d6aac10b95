#!/usr/bin/env python3
"""The desk in a real browser, on the demo week of a local stack.

    tests/run desk            needs Chromium and Node.js; pictures are kept in .frontdesk/desk
    tests/run desk --keep     also stores the pictures that functions/desk/README.md shows
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import browser, tools  # noqa: E402

KEPT = ["to-do-desktop-light", "to-do-phone-dark", "day-desktop-light", "appointment-desktop-light", "system-at-rest-desktop-light"]


def main():
    if sys.argv[1:] not in ([], ["--keep"]):
        sys.exit(__doc__)
    tools.run_inside()
    environment = browser.prepare()
    local = [sys.executable, tools.ROOT / "infra/local/run", "--demo", "--then", "node", "tests/browser/desk.mjs"]
    status = subprocess.run(local, cwd=tools.ROOT, env=environment).returncode
    if status == 0 and "--keep" in sys.argv:
        folder = tools.ROOT / "functions/desk/pictures"
        folder.mkdir(exist_ok=True)
        for name in KEPT:
            shutil.copy(Path(environment["PICTURES"]) / f"{name}.png", folder / f"{name}.png")
    sys.exit(status)


if __name__ == "__main__":
    main()
