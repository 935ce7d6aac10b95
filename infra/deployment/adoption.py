"""Creates a stack from the tables, secrets and buckets that a deleted one left behind."""

import json

from botocore.exceptions import ClientError, WaiterError
from frontdesk_local.console import fail, say, table

from . import template

CHANGE_SET = "adopt-what-is-kept"


def adopt(environment, parsed):
    """Imports what the environment's file names under [adopt] into a new stack, which the next deployment completes."""
    part = template.kept(parsed)
    unknown = sorted(set(environment.adopt) - set(part["Resources"]))
    if unknown or not environment.adopt:
        fail(
            f"failed to adopt what a stack left: [adopt] in the environment's file names {', '.join(unknown) or 'nothing'}. What a stack leaves: "
            f"{', '.join(part['Resources'])}. Find their names with `aws dynamodb list-tables`, `aws secretsmanager list-secrets` (the ARN) "
            "and `aws s3 ls`."
        )
    created = sorted(set(part["Resources"]) - set(environment.adopt))
    part["Resources"] = {name: part["Resources"][name] for name in environment.adopt}
    formation = environment.client("cloudformation")
    if environment.exists():
        fail(f"failed to adopt what a stack left: the stack {environment.stack} exists already. Deploy it without --adopt.")
    print()
    table(["takes in", "as"], [[physical, name] for name, physical in environment.adopt.items()])
    print(f"\nwill be created, empty: {', '.join(created) or 'nothing'}\n")
    imported = [
        {
            "ResourceType": resource["Type"],
            "LogicalResourceId": name,
            "ResourceIdentifier": {template.IDENTIFIERS[resource["Type"]]: environment.adopt[name]},
        }
        for name, resource in part["Resources"].items()
    ]
    say(f"importing {len(imported)} resources into the new stack {environment.stack}")
    formation.create_change_set(
        StackName=environment.stack,
        ChangeSetName=CHANGE_SET,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(part),
        ResourcesToImport=imported,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in environment.parameters.items()
            if key in part["Parameters"]
        ],
    )
    try:
        formation.get_waiter("change_set_create_complete").wait(StackName=environment.stack, ChangeSetName=CHANGE_SET)
        formation.execute_change_set(StackName=environment.stack, ChangeSetName=CHANGE_SET)
        formation.get_waiter("stack_import_complete").wait(StackName=environment.stack, WaiterConfig={"Delay": 2})
    except (WaiterError, ClientError) as error:
        reason = formation.describe_change_set(StackName=environment.stack, ChangeSetName=CHANGE_SET).get("StatusReason")
        formation.delete_change_set(StackName=environment.stack, ChangeSetName=CHANGE_SET)
        fail(f"failed to adopt what a stack left: {reason or error}. Correct [adopt] in the environment's file, then run this again.")
