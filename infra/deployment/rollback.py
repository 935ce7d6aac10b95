"""Points the alias of every function at the version before, which is deployed and ready: seconds instead of a deployment."""

from concurrent.futures import ThreadPoolExecutor

from frontdesk_local.console import fail, say, table

ALIAS = "live"
UNDER_WAY = "UPDATE_IN_PROGRESS"


def roll_back(environment):
    """Rolls every function back. Of a deployment under way, CloudFormation is told to do so."""
    formation = environment.client("cloudformation")
    stacks = formation.describe_stacks(StackName=environment.stack)["Stacks"]
    if stacks[0]["StackStatus"] == UNDER_WAY:
        formation.cancel_update_stack(StackName=environment.stack)
        say("a deployment is under way: CloudFormation cancels it, and moves all traffic back to the version before")
        return
    found = formation.get_paginator("list_stack_resources").paginate(StackName=environment.stack)
    resources = [resource for page in found for resource in page["StackResourceSummaries"]]
    functions = sorted(r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::Lambda::Function")
    lambdas = environment.client("lambda")
    with ThreadPoolExecutor(len(functions) or 1) as pool:
        before = list(pool.map(lambda function: (function, *versions(lambdas, function)), functions))
        alone = [function for function, _, former in before if former is None]
        if alone:
            fail(f"failed to roll back: there is no version before the live one of {', '.join(alone)}. Deploy a commit that worked.")
        move = lambda it: lambdas.update_alias(FunctionName=it[0], Name=ALIAS, FunctionVersion=it[2], RoutingConfig={})  # noqa: E731
        list(pool.map(move, before))
    print()
    table(["function", "version", "rolled back to"], before)
    say("rolled back. The next deployment moves the aliases on")


def versions(lambdas, function):
    """The version that is live, and the one before it, or `None`."""
    live = int(lambdas.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"])
    pages = lambdas.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    numbers = [int(v["Version"]) for page in pages for v in page["Versions"] if v["Version"].isdigit()]
    former = [number for number in numbers if number < live]
    return str(live), str(max(former)) if former else None
