"""An environment: a file of infra/environments, and the clients of its account."""

import functools
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from frontdesk_local import tools
from frontdesk_local.console import fail

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLACE = tools.ROOT / "infra/environments"
# The parameters that `infra/deploy` sets itself.
OWN_PARAMETERS = {"DeploymentId", "FrontdeskVersion"}


@dataclass(frozen=True)
class Environment:
    """What its file says."""

    name: str
    stack: str
    region: str
    profile: str | None = None
    parameters: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    adopt: dict = field(default_factory=dict)

    @functools.cached_property
    def session(self):
        return boto3.Session(profile_name=self.profile, region_name=self.region)

    def client(self, service):
        return self.session.client(service)

    def exists(self):
        """Whether there is a stack of this name."""
        return self._stack() is not None

    def outputs(self):
        """The outputs of the deployed stack by their names, or nothing if there is no stack."""
        return {output["OutputKey"]: output["OutputValue"] for output in (self._stack() or {}).get("Outputs", [])}

    def resources(self, kind):
        """The physical ids of the stack's resources of a kind."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return sorted(resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind)

    def _stack(self):
        formation = self.client("cloudformation")
        try:
            stack = formation.describe_stacks(StackName=self.stack)["Stacks"][0]
            # It was planned and never created.
            return None if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack
        except formation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise


def read(name, template):
    """The environment of this name, checked against the template's parameters."""
    path = Path(name) if name.endswith(".toml") else PLACE / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        fail(f"failed to read {shown(path)}: there is no such file. Copy infra/environments/example.toml, and set its values.")
    except tomllib.TOMLDecodeError as error:
        fail(f"failed to read {shown(path)}: {error}. Compare it with infra/environments/example.toml.")
    unknown = set(content) - {"stack", "region", "profile", "parameters", "tags", "adopt"}
    missing = {"stack", "region"} - set(content)
    # CloudFormation knows texts alone, and `true` in small letters.
    parameters = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in content.get("parameters", {}).items()}
    known = template["Parameters"]
    unknown |= {f"parameters.{key}" for key in set(parameters) - set(known)}
    missing |= {f"parameters.{key}" for key in set(known) - set(parameters) if "Default" not in known[key]}
    own = {f"parameters.{key}" for key in OWN_PARAMETERS & set(parameters)}
    for what, names in {"unknown": unknown, "missing": missing, "set by infra/deploy itself": own}.items():
        if names:
            fail(f"failed to read {shown(path)}: {', '.join(sorted(names))} is {what}. infra/README.md lists the parameters.")
    return Environment(**{"name": path.stem, **content, "parameters": parameters})


def shown(path):
    """A path as people name it."""
    return os.path.relpath(path, tools.ROOT) if path.is_relative_to(tools.ROOT) else path
