#!/usr/bin/env python3
"""Feeds random bytes, and mutated real ones, to everything that parses input from outside: no panic, bounded memory.

    tests/run fuzz                 each target for a minute
    tests/run fuzz --seconds 600
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402

TARGETS = ["signature", "event", "contact", "spoken", "response"]
LARGEST_INPUT = 64 * 1024
# The memory of a function.
MEMORY_MB = 256


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    arguments = parser.parse_args()
    cargo_fuzz = tools.cargo_tool("cargo-fuzz")
    target = tools.WORK / "fuzz/target"
    say("building the fuzz targets (a minute the first time)")
    # Coverage instrumentation is a flag that the stable compiler has and hides.
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_DIR": str(target)}
    build = [cargo_fuzz, "build", "--fuzz-dir", ".", "--sanitizer", "none"]
    if subprocess.run(build, cwd=tools.ROOT / "tests/fuzz", env=environment).returncode != 0:
        fail("failed to build the fuzz targets: see above")
    for name in TARGETS:
        fuzz(name, next(target.glob(f"*/release/{name}")), arguments.seconds)
    say("no target panicked")


def fuzz(name, binary, seconds):
    """Runs one target, seeded with `events/` and the corpus of earlier runs."""
    say(f"{name}: {seconds} s")
    corpus, found = tools.WORK / f"fuzz/corpus/{name}", tools.WORK / "fuzz/found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    command = [binary, corpus, tools.ROOT / "events", f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY_MB}"]
    command += [f"-max_len={LARGEST_INPUT}", f"-artifact_prefix={found}/{name}-", "-print_final_stats=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    stats = dict(line.removeprefix("stat::").split(":", 1) for line in done.stderr.splitlines() if line.startswith("stat::"))
    if done.returncode != 0:
        print("\n".join(done.stderr.splitlines()[-40:]))
        fail(f"failed: {name} crashed. The input is in {found.relative_to(tools.ROOT)}/; add a unit test with it")
    runs, memory = (stats.get(key, "?").strip() for key in ("number_of_executed_units", "peak_rss_mb"))
    print(f"  {runs} inputs, {memory} MB at most")


if __name__ == "__main__":
    main()
