"""Prepares and runs the programs of tests/bench, which replace everything around one function's release binary.

This module writes their plan.
"""

import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import zipfile

from cfnlint.decode import cfn_yaml

from . import stack, tools
from .console import fail, say
from .processes import INTERRUPTED
from .tools import ROOT, WORK

BENCH = ROOT / "tests/bench"
PLACE = WORK / "bench"
# The properties of a table in the template that `CreateTable` accepts.
OF_A_TABLE = ["KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode"]


def prepare(program, functions=None, with_peers=False):
    """Builds the functions with the release profile and the program, and returns the path of the plan."""
    functions = functions or [*stack.FUNCTIONS, "floor"]
    say("building with the profile release (minutes the first time)")
    tools.build_functions([name for name in functions if name != "floor"])
    if "floor" in functions:
        # Separately, so that its features change nothing of the functions.
        tools.build_functions(["floor"])
    if not tools.is_built():
        tools.cargo("build", "--locked", "--bin=frontdesk", "--package=cli")
        tools.cargo("build", "--locked", "--package=bench", f"--bin={program}")
    PLACE.mkdir(parents=True, exist_ok=True)
    plan = PLACE / "plan.json"
    # Measured with a call as large as a real one; attacked with a small one, by the thousand.
    call = "retell-call-four-minutes.json" if program in ("bench", "live") else "retell-call-analyzed.json"
    contenders = node_peers() if program == "live" else peers() if with_peers else {}
    plan.write_text(json.dumps(made(functions, contenders, call), indent=1))
    return plan


def go(program, plan, arguments):
    """Runs the program and returns its exit status."""
    command = [tools.binary(program, "dev"), plan, *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, env=tools.without_calcom_key()).returncode
    except KeyboardInterrupt:
        return INTERRUPTED


def made(functions, peers, call):
    """The plan, as `bench::plan::Plan` reads it."""
    template = json.loads(json.dumps(cfn_yaml.load(str(ROOT / "infra/template.yaml"))))
    tables = {name: r["Properties"] for name, r in template["Resources"].items() if r["Type"] == "AWS::DynamoDB::Table"}
    kinds = [resource["Type"].rpartition("::")[2] for resource in template["Resources"].values()]
    contenders = {name: of_binary(name) for name in functions}
    return {
        "tables": {name: {key: table[key] for key in OF_A_TABLE if key in table} for name, table in tables.items()},
        "contenders": contenders | peers,
        "operator": str(tools.binary("frontdesk", "dev")),
        "tenant": str(ROOT / "infra/local/salon-sommer.json"),
        "event_types": str(ROOT / "tests/stand-in/salon-sommer.json"),
        "call": str(ROOT / "events" / call),
        "certificates": certificates(),
        "counted": {
            "alarms": sum(alarm_metrics(r["Properties"]) for r in template["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"),
            "dashboards": kinds.count("Dashboard"),
            "secrets": kinds.count("Secret"),
        },
        "results": str(PLACE / "results.json"),
        "scratch": str(PLACE),
    }


def alarm_metrics(alarm):
    """How many metrics an alarm watches: CloudWatch bills it for each."""
    return sum("MetricStat" in metric for metric in alarm["Metrics"]) if "Metrics" in alarm else 1


def of_binary(name):
    path = tools.function_binary(name)
    return {"command": [str(path)], "zipped": zipped_file(path)}


def zipped_file(path):
    """The size of a function's package, in bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "bootstrap")
    return len(packed.getvalue())


def certificates():
    """The path of the system's CA certificates."""
    paths = ssl.get_default_verify_paths()
    for path in [os.environ.get("SSL_CERT_FILE"), paths.cafile, "/etc/ssl/certs/ca-certificates.crt"]:
        if path and os.path.exists(path):
            return path
    fail("failed to find the system's CA certificates. On Debian and Ubuntu, install ca-certificates.")


def peers():
    """Intake and booking written the ordinary way in Python and Node.js, as they would be deployed."""
    return python_peers() | node_peers()


def python_peers():
    place = PLACE / "python"
    requirements = BENCH / "peers/python/requirements.txt"
    if tools.is_new(place, requirements):
        say("installing the Python peers' packages")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts", "--target", place, "-r", requirements]
        if subprocess.run(install).returncode != 0:
            fail("failed to install the Python peers' packages: see above. Check that PyPI is reachable, then run the command again.")
        tools.stamp(place, requirements)
    package = zipped([place, BENCH / "peers/python"])
    environment = {"PYTHONPATH": f"{BENCH / 'peers/python'}:{place}", "POWERTOOLS_LOG_LEVEL": "INFO"}
    return {
        f"python-{name}": {
            "command": [sys.executable, "-m", "awslambdaric", f"{name}.handler"],
            "environment": environment,
            "zipped": package,
        }
        for name in ("intake", "booking")
    }


def node_peers():
    place, source = PLACE / "node", BENCH / "peers/node"
    lock = source / "package-lock.json"
    place.mkdir(parents=True, exist_ok=True)
    for file in (source / "package.json", lock):
        shutil.copy(file, place)
    tools.install_npm(place, lock)
    made = {}
    for name in ("intake", "booking", "tools"):
        shutil.copy(source / f"{name}.mjs", place)
        bundle = place / f"bundled/{name}/index.cjs"
        options = ["--bundle", "--minify", "--platform=node", "--target=node20", "--log-level=error", f"--outfile={bundle}"]
        if subprocess.run([place / "node_modules/.bin/esbuild", f"{name}.mjs", *options], cwd=place).returncode != 0:
            fail(f"failed to bundle {name}.mjs with esbuild: see above")
        made[f"node-{name}"] = {
            "command": ["node", str(source / "runtime.mjs"), f"{bundle}#handler"],
            "zipped": zipped([bundle.parent]),
        }
    return made


def zipped(folders):
    """The bytes of a package with all files of these folders."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, path.relative_to(folder))
    return len(packed.getvalue())
