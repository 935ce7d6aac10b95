"""A real browser, and what drives it."""

import os
import shutil
import subprocess

from . import tools
from .console import fail, say

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
DRIVER = tools.ROOT / "tests/browser"


def find():
    """The path of a browser. Where we are root on Debian it is installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing Chromium from the system's packages")
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = shutil.which("chromium")
    return found or fail("No Chromium or Chrome is on the PATH. Install one (`apt install chromium`), then run this again.")


def prepare():
    """Installs what drives the browser, as its lock file says, and returns the environment in which it runs."""
    tools.install_npm(DRIVER, DRIVER / "package-lock.json")
    return {**os.environ, "CHROMIUM": find(), "PICTURES": str(tools.WORK / "desk"), "DEMO": str(tools.WORK / "demo.json")}
