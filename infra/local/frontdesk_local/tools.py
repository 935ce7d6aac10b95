"""The project's own environment of pinned Python packages, in a folder that git ignores."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from .console import fail, say

ROOT = Path(__file__).resolve().parents[3]
WORK = ROOT / ".frontdesk"
ENVIRONMENT = WORK / "python"
REQUIREMENTS = ROOT / "infra/local/requirements.txt"
CHECKOV = ROOT / "infra/local/requirements-checkov.txt"
SAM = ROOT / "infra/deployment/requirements.txt"
CARGO_TOOLS = ROOT / "infra/local/requirements-cargo-tools.txt"
CARGO_LAMBDA = ROOT / "infra/local/requirements-cargo-lambda.txt"
# The key of the local stack's one Retell account. It opens nothing else.
RETELL_KEY = "key_local_frontdesk"
# The build profile. `dev` builds fast; `release` is what is deployed.
PROFILE = os.environ.get("FRONTDESK_PROFILE", "dev")
# Suites that run side by side write their logs to folders of their own.
LOGS = Path(os.environ.get("FRONTDESK_LOGS", WORK / "logs"))


def profile():
    """The options by which cargo builds with the profile."""
    return ["--release"] if PROFILE == "release" else []


def is_built():
    """Whether `tests/run` has built everything already, so that suites that run side by side need no cargo."""
    return PROFILE == "dev" and bool(os.environ.get("FRONTDESK_BUILT"))


def binary(name, of_profile=None):
    """The path of a built binary."""
    folder = "release" if (of_profile or PROFILE) == "release" else "debug"
    return (ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / folder / name).resolve()


def build_functions(names, architecture=None):
    """Builds functions as they are deployed: with the oldest system library that Lambda has, which zig brings."""
    architecture = architecture or ("arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64")
    packages = [f"--package={name}" for name in names]
    command = [sys.executable, ROOT / "infra/local/cargo-lambda", "build", "--release", "--locked", f"--{architecture.replace('_', '-')}", *packages]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        fail("failed to build the functions: see above")


def function_binary(name):
    """The path of a function as it is deployed."""
    return (ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / f"lambda/{name}/bootstrap").resolve()


def run_inside(requirements=REQUIREMENTS):
    """Installs what is missing, and restarts the running script with the environment's Python."""
    python = install(requirements)
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        os.execv(python, [str(python), str(Path(sys.argv[0]).resolve()), *sys.argv[1:]])


def install(requirements, environment=ENVIRONMENT):
    """Installs the pinned packages, unless they are installed, and returns the environment's Python."""
    python = environment / "bin/python"
    if python.exists() and not is_new(environment, requirements):
        return python
    if sys.version_info < (3, 10):
        fail("failed to start: Python 3.10 or newer is needed, and this is " + sys.version.split()[0])
    say(f"installing the packages of {requirements.relative_to(ROOT)} into {environment.relative_to(ROOT)}/")
    if not (environment / "bin/pip").exists():
        try:
            venv.create(environment, with_pip=True, clear=True)
        except subprocess.CalledProcessError:
            fail("failed to create the Python environment: the venv module lacks pip. On Debian and Ubuntu, install python3-venv.")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    if subprocess.run(pip).returncode != 0:
        fail("failed to install the Python packages: see above. Check that PyPI is reachable, then run the command again.")
    stamp(environment, requirements)
    return python


def install_npm(place, lock):
    """Installs the packages of a lock file into the folder's `node_modules`, unless they are installed."""
    if not shutil.which("npm"):
        fail("failed to find npm: Node.js 20 or newer is needed. On Debian and Ubuntu, install nodejs and npm.")
    if not is_new(place / "node_modules", lock):
        return
    say(f"installing the packages of {lock.relative_to(ROOT)}")
    if subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=place).returncode != 0:
        fail("failed to install the Node.js packages: see above. Check that the npm registry is reachable, then run the command again.")
    stamp(place / "node_modules", lock)


def is_new(place, requirements):
    """Whether the packages of this file are not installed there in their current form."""
    noted = place / f"{requirements.stem}.installed"
    return not noted.exists() or noted.read_text() != _digest(requirements)


def stamp(place, requirements):
    """Records that the packages of this file are installed there."""
    (place / f"{requirements.stem}.installed").write_text(_digest(requirements))


def _digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def cargo(*arguments, **options):
    """Runs cargo in the project's folder, and exits if it fails."""
    try:
        done = subprocess.run(["cargo", *arguments], cwd=ROOT, **options)
    except FileNotFoundError:
        fail("failed to run cargo: it is not installed. Install Rust with rustup, then run the command again.")
    if done.returncode != 0:
        fail(f"failed to run `cargo {' '.join(arguments)}`: see above")
    return done


def cargo_tool(name):
    """Installs cargo's tools, and returns the path of this one."""
    return install(CARGO_TOOLS, WORK / "cargo").parent / name


def without_calcom_key():
    """The environment of tests without a Cal.com key: they only use the stand-in."""
    return {name: value for name, value in os.environ.items() if name != "CALCOM_API_KEY"}
