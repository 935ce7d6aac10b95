"""Points the alias of every function at the version before, which is deployed and ready: seconds instead of a deployment."""

from concurrent.futures import ThreadPoolExecutor

from frontdesk_local.console import fail, say, table

ALIAS = "live"
UNDER_WAY = "UPDATE_IN_PROGRESS"
# The tag of a function that names the version which was live before the last deployment.
FORMER = "frontdesk:former-version"


def roll_back(environment):
    """Rolls every function back. Of a deployment under way, CloudFormation is told to do so."""
    if not environment.exists():
        fail(f"failed to roll back {environment.stack}: the stack does not exist. Check `stack` and `region` in the environment's file.")
    formation = environment.client("cloudformation")
    if formation.describe_stacks(StackName=environment.stack)["Stacks"][0]["StackStatus"] == UNDER_WAY:
        formation.cancel_update_stack(StackName=environment.stack)
        return say("a deployment is under way: CloudFormation cancels it, and moves all traffic back to the version before")
    lambdas = environment.client("lambda")
    versions = for_each(environment, lambda function: (function, live(lambdas, function), former(lambdas, function)))
    alone = [function for function, _, before in versions if before is None]
    if alone:
        fail(f"failed to roll back: there is no version before the live one of {', '.join(alone)}. Deploy a commit that worked.")
    to = {function: before for function, _, before in versions}
    move = lambda name: lambdas.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=to[name], RoutingConfig={})  # noqa: E731
    for_each(environment, move)
    print()
    table(["function", "version", "rolled back to"], versions)
    say("rolled back. The next deployment moves the aliases on")


def remember(environment):
    """Notes the live version of each function before a deployment: the newest one before it may never have been live."""
    lambdas = environment.client("lambda")

    def note(function):
        arn = lambdas.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
        lambdas.tag_resource(Resource=arn, Tags={FORMER: live(lambdas, function)})

    if environment.exists():
        for_each(environment, note)


def is_rolled_back(environment):
    """Whether an alias is at another version than the stack's: CodeDeploy can't shift traffic from there, CloudFormation can."""
    if not environment.exists():
        return False
    lambdas = environment.client("lambda")
    deployed = {arn.rpartition(":")[0].rpartition(":")[2]: arn.rpartition(":")[2] for arn in environment.resources("AWS::Lambda::Version")}
    return any(for_each(environment, lambda function: deployed.get(function, live(lambdas, function)) != live(lambdas, function)))


def for_each(environment, act):
    """Does something with each function of the stack, all at once."""
    functions = environment.resources("AWS::Lambda::Function")
    with ThreadPoolExecutor(len(functions) or 1) as pool:
        return list(pool.map(act, functions))


def live(lambdas, function):
    """The version that is live."""
    return lambdas.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]


def former(lambdas, function):
    """The version that was live before, or `None`."""
    arn = lambdas.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    noted = lambdas.list_tags(Resource=arn)["Tags"].get(FORMER)
    return noted if noted and int(noted) < int(live(lambdas, function)) else None
