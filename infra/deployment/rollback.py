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
    versions = for_each(environment, lambda function: versions_of(lambdas, function))
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
        lambdas.tag_resource(Resource=arn_of(lambdas, function), Tags={FORMER: live(lambdas, function)})

    if environment.exists():
        for_each(environment, note)


def is_rolled_back(environment):
    """Whether an alias is at another version than the stack's: CodeDeploy can't shift traffic from there, CloudFormation can."""
    if not environment.exists():
        return False
    lambdas = environment.client("lambda")
    deployed = {arn.rpartition(":")[0].rpartition(":")[2]: arn.rpartition(":")[2] for arn in environment.resources("AWS::Lambda::Version")}
    return any(for_each(environment, lambda function: function in deployed and deployed[function] != live(lambdas, function)))


def for_each(environment, act):
    """Does something with each function of the stack, all at once."""
    functions = environment.resources("AWS::Lambda::Function")
    with ThreadPoolExecutor(len(functions) or 1) as pool:
        return list(pool.map(act, functions))


def live(lambdas, function):
    """The version that is live."""
    return lambdas.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]


def versions_of(lambdas, function):
    """A function, the version that is live, and the one that was live before, or `None`."""
    now = live(lambdas, function)
    before = lambdas.list_tags(Resource=arn_of(lambdas, function))["Tags"].get(FORMER)
    return function, now, before if before and int(before) < int(now) else None


def arn_of(lambdas, function):
    return lambdas.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
