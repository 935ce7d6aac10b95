"""The project's own environment of pinned Python packages, in a folder that git ignores."""

import hashlib
import os
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
CARGO_LAMBDA = ROOT / "infra/local/requirements-cargo-lambda.txt"
# The key of the local stack's one Retell account. It opens nothing else.
RETELL_KEY = "key_local_frontdesk"


def run_inside(requirements=REQUIREMENTS):
    """Goes on inside the environment: installs what is missing and starts the running script anew with its Python."""
    python = install(requirements)
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        os.execv(python, [str(python), str(Path(sys.argv[0]).resolve()), *sys.argv[1:]])


def install(requirements, environment=ENVIRONMENT):
    """Installs the pinned packages, unless they are there, and answers the environment's Python."""
    python = environment / "bin/python"
    if python.exists() and not is_new(environment, requirements):
        return python
    if sys.version_info < (3, 10):
        fail("Python 3.10 or newer is needed; this one is " + sys.version.split()[0])
    say(f"installing the packages of {requirements.relative_to(ROOT)} into {environment.relative_to(ROOT)}/")
    if not (environment / "bin/pip").exists():
        try:
            venv.create(environment, with_pip=True, clear=True)
        except subprocess.CalledProcessError:
            fail("Python can't make an environment: its venv module lacks pip. On Debian and Ubuntu, install python3-venv.")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    if subprocess.run(pip).returncode != 0:
        fail("The packages can't be installed. Is PyPI reachable? Then run the same command again.")
    stamp(environment, requirements)
    return python


def is_new(place, requirements):
    """Whether what this file asks for has not been installed there yet, as it asks for it now."""
    noted = place / f"{requirements.stem}.installed"
    return not noted.exists() or noted.read_text() != _digest(requirements)


def stamp(place, requirements):
    """Notes that what this file asks for is installed there."""
    (place / f"{requirements.stem}.installed").write_text(_digest(requirements))


def _digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def cargo(*arguments, **options):
    """Runs cargo in the project's folder and ends the command where that fails."""
    try:
        done = subprocess.run(["cargo", *arguments], cwd=ROOT, **options)
    except FileNotFoundError:
        fail("cargo is missing. Install Rust with rustup, then run the same command again.")
    if done.returncode != 0:
        fail(f"`cargo {' '.join(arguments)}` failed; its messages stand above.")
    return done


def cargo_tool(name, version):
    """Builds a tool from crates.io at this version, unless it is there, and answers where it lies."""
    place = WORK / "cargo"
    stamp = place / f"{name}-{version}.installed"
    if not stamp.exists():
        say(f"building {name} {version} into {place.relative_to(ROOT)}/ (some minutes, once)")
        cargo("install", name, "--version", version, "--locked", "--quiet", "--root", str(place))
        stamp.touch()
    return place / "bin" / name


def without_calcom_key():
    """The environment for tests: they book with the stand-in alone, whatever key lies about."""
    return {name: value for name, value in os.environ.items() if name != "CALCOM_API_KEY"}
