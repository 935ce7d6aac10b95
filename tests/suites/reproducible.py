#!/usr/bin/env python3
"""Builds a function twice, from two clones at two places, and compares the binaries byte for byte.

    tests/run reproducible                      staff-assignment; some ten minutes on two cores
    tests/run reproducible webhook-intake

Only where a binary was built stands in it besides what it was built from: paths in the places of panics. They are
replaced by the same words in both builds.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402

CARGO_HOME = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))


def main():
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    function = (sys.argv[1:] or ["staff-assignment"])[0]
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=tools.ROOT, capture_output=True, text=True).stdout
    if changed:
        say("what is not committed is not built")
    hashes = [built(function, place) for place in ("reproducible/one", "reproducible/another-place")]
    if len(set(hashes)) > 1:
        fail(f"The two builds of {function} differ.")
    say(f"both builds of {function} are {hashes[0]}")


def built(function, place):
    """The hash of the function's binary, built from a clone at this place."""
    clone = tools.WORK / place
    shutil.rmtree(clone, ignore_errors=True)
    say(f"building {function} in {clone.relative_to(tools.ROOT)}/")
    subprocess.run(["git", "clone", "--quiet", tools.ROOT, clone], check=True)
    words = {clone: "frontdesk", CARGO_HOME: "cargo"}
    flags = [f"--remap-path-prefix={path}={word}" for path, word in words.items()]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(clone / "target"), "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}
    command = ["cargo", "build", "--release", "--locked", "--quiet", f"--package={function}"]
    if subprocess.run(command, cwd=clone, env=environment).returncode != 0:
        fail(f"{function} can't be built; cargo's messages stand above.")
    binary = (clone / "target/release" / function).read_bytes()
    shutil.rmtree(clone)
    return hashlib.sha256(binary).hexdigest()


if __name__ == "__main__":
    main()
