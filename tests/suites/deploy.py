#!/usr/bin/env python3
"""The command that deploys, against the local AWS: a plan without an account, two deployments, a test call through each,
a roll-back, and a new stack that takes in what a deleted one left.

    tests/run deploy

What differs from an account of AWS: MiniStack knows no CodeDeploy, so that a new version gets all traffic at once, and
imports no secrets.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402

DEPLOY = tools.ROOT / "infra/deploy"
STACK = "frontdesk-demo"
ROLLED_BACK_WITHIN = 60
ENVIRONMENT = """
stack = "{stack}"
region = "eu-central-1"
[parameters]
AlertEmail = ""
[tags]
project = "frontdesk"
[adopt]
"""


def main():
    if sys.argv[1:]:
        sys.exit(__doc__)
    tools.run_inside()
    from frontdesk_local import stack
    from frontdesk_local.processes import Processes

    stack.build()
    # A new account of AWS allows so many executions at once.
    os.environ["LAMBDA_ACCOUNT_CONCURRENCY"] = "10"
    place = tools.LOGS / "deploy"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    with Processes() as processes:
        local = stack.start(processes)
        command = Command(place, local)
        command.plans_without_an_account()
        first = command.deploys()
        command.deploys_again_and_rolls_back(first)
        command.adopts_what_a_deleted_stack_left()
    say("plan, deployments, test calls, roll-back and adoption hold")


class Command:
    """`infra/deploy` for one environment, with the functions that are built already."""

    def __init__(self, place, local):
        self.local = local
        self.environment = place / "demo.toml"
        self.environment.write_text(ENVIRONMENT.format(stack=STACK))
        self.template = self.write_template(place)

    def write_template(self, place):
        """The template as MiniStack can deploy it, with the packages of this profile."""
        from frontdesk_local import stack

        template = stack.adapted_template()
        for function in stack.FUNCTIONS:
            package = place / "packages" / function
            package.mkdir(parents=True)
            shutil.copy(stack.binary(function), package / "bootstrap")
        template = template.replace("../target/lambda/", f"{place}/packages/")
        path = place / "template.yaml"
        path.write_text(template)
        return path

    def run(self, *options, account=True, expected=0):
        """Runs the command and returns what it prints."""
        environment = {**os.environ, "FRONTDESK_BUILT": "1"}
        if account:
            environment |= {"AWS_ENDPOINT_URL": self.local.endpoint}
        else:
            environment = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        command = [DEPLOY, self.environment, "--template", self.template, *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != expected:
            fail(f"infra/deploy {' '.join(options)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def client(self, service):
        from frontdesk_local import stack

        return stack.client(service, self.local.endpoint)

    def plans_without_an_account(self):
        say("a plan without an account")
        printed = self.run("--dry-run", account=False)
        for said in ("AWS::Lambda::Function", "webhook-intake", "DeploymentId", "nothing was deployed"):
            expect(said in printed, f"the plan does not name {said}:\n{printed}")
        typing_error = self.environment.read_text().replace("AlertEmail", "AlertMail")
        right, _ = self.environment.read_text(), self.environment.write_text(typing_error)
        printed = self.run("--dry-run", account=False, expected=1)
        expect("parameters.AlertMail is unknown" in printed, printed)
        self.environment.write_text(right)

    def deploys(self):
        say("a first deployment; there is no key yet")
        printed = self.run("--yes")
        expect("put-secret-value" in printed, f"it does not say how to store a key:\n{printed}")
        expect("10 concurrent executions" in printed, f"it does not tell of the account's limit:\n{printed}")
        outputs = self.outputs()
        keys = json.dumps({"main": {"current": tools.RETELL_KEY}})
        self.client("secretsmanager").put_secret_value(SecretId=outputs["RetellKeysSecret"], SecretString=keys)
        say("a test call")
        expect("and a tool answers" in self.run("--smoke-test"), "the test call is not stored, or no tool answers")
        return self.live()

    def deploys_again_and_rolls_back(self, first):
        say("a second deployment")
        # MiniStack's transform sees the default of a parameter, not its value.
        template = self.template.read_text()
        self.template.write_text(template.replace('Default: "0000000000"', 'Default: "0000000001"'))
        expect("the signed call is stored" in self.run("--yes"), "the test call is not stored")
        second = self.live()
        expect(all(second[name] != first[name] for name in first), f"not every function has a new version: {first}, {second}")
        began = time.monotonic()
        self.run("--roll-back")
        took = time.monotonic() - began
        expect(self.live() == first, f"not every function was rolled back: {self.live()}")
        expect(took < ROLLED_BACK_WITHIN, f"the roll-back took {took:.0f} s")
        say(f"rolled back in {took:.1f} s")
        expect("the signed call is stored" in self.run("--smoke-test"), "the test call is not stored after the roll-back")
        expect(self.is_rolled_back(), "the next deployment would have CodeDeploy shift traffic from a version that it does not know")
        self.run("--roll-back", expected=1)

    def adopts_what_a_deleted_stack_left(self):
        say("a new stack that takes in what a deleted one left")
        # MiniStack can't import secrets: the deployment creates new ones.
        kept = self.resources("AWS::DynamoDB::Table", "AWS::S3::Bucket")
        stored = self.outputs()["TenantsTable"]
        formation = self.client("cloudformation")
        formation.delete_stack(StackName=STACK)
        formation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
        self.environment.write_text(ENVIRONMENT.format(stack=STACK) + "".join(f'{name} = "{value}"\n' for name, value in kept.items()))
        self.run("--adopt", "--yes")
        expect(self.outputs()["TenantsTable"] == stored, "the new stack has another table")
        tenants = self.client("dynamodb").scan(TableName=stored)["Items"]
        expect(any(item["key"]["S"] == "tenant#frontdesk-smoke-test" for item in tenants), "what was stored is gone")

    def is_rolled_back(self):
        """Whether the next deployment would notice the roll-back."""
        sys.path.insert(0, str(tools.ROOT / "infra"))
        from deployment import environment, rollback, template

        os.environ["AWS_ENDPOINT_URL"] = self.local.endpoint
        return rollback.is_rolled_back(environment.read(str(self.environment), template.read()))

    def outputs(self):
        found = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def resources(self, *kinds):
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if r["ResourceType"] in kinds}

    def live(self):
        """The version of each function that gets the traffic."""
        lambdas = self.client("lambda")
        functions = self.resources("AWS::Lambda::Function").values()
        return {name: lambdas.get_alias(FunctionName=name, Name="live")["FunctionVersion"] for name in functions}


def expect(holds, otherwise):
    if not holds:
        fail(otherwise)


if __name__ == "__main__":
    main()
