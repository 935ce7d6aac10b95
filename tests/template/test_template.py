"""Rules for infra/template.yaml that no linter knows."""

import json
import re
import sys
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "infra"), str(PROJECT / "infra/local")]
from deployment import template as deployed  # noqa: E402

TEMPLATE = deployed.TEMPLATE
BATCH_WINDOW = 0


def expanded(**given):
    """The template as CloudFormation gets it, with these parameters given."""
    return deployed.expanded(given)


class TheTemplate(unittest.TestCase):
    # The parameters with which it is expanded.
    given = {}

    @classmethod
    def setUpClass(cls):
        cls.resources = expanded(**cls.given)
        cls.template = deployed.read()
        cls.parameters = cls.template["Parameters"]

    def of_type(self, kind):
        found = {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == kind}
        self.assertTrue(found, f"there is no {kind}")
        return found

    def referenced(self, value):
        """The logical name in a Ref or Fn::GetAtt."""
        return value.get("Ref") or value["Fn::GetAtt"][0]

    def function_of(self, value):
        """The function that an alias, by its logical name, stands for."""
        alias = self.resources[self.referenced(value)]
        self.assertEqual((alias["Type"], alias["Properties"]["Name"]), ("AWS::Lambda::Alias", "live"))
        return self.resources[self.referenced(alias["Properties"]["FunctionName"])]["Properties"]

    def test_a_visibility_timeout_is_six_times_its_functions_timeout(self):
        queues = self.of_type("AWS::SQS::Queue")
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            queue = queues[self.referenced(mapping["EventSourceArn"])]
            function = self.function_of(mapping["FunctionName"])
            self.assertGreaterEqual(queue["VisibilityTimeout"], 6 * function["Timeout"] + BATCH_WINDOW)

    def test_an_event_source_reports_failures_one_by_one_and_bounds_its_concurrency(self):
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            self.assertEqual(mapping["FunctionResponseTypes"], ["ReportBatchItemFailures"])
            self.assertIn(mapping["ScalingConfig"]["MaximumConcurrency"], [{"Ref": "BookingConcurrency"}, {"Ref": "AssignmentConcurrency"}])

    def test_a_queue_has_a_dead_letter_queue_that_keeps_longer_and_the_function_knows_its_bound(self):
        queues = self.of_type("AWS::SQS::Queue")
        sources = {name: queue for name, queue in queues.items() if "RedrivePolicy" in queue}
        # Beside them, the one of the schedules.
        self.assertEqual(len(sources) * 2 + 1, len(queues))
        for queue in sources.values():
            self.assertEqual(queue["RedrivePolicy"]["maxReceiveCount"], 5)
            dead_letters = queues[self.referenced(queue["RedrivePolicy"]["deadLetterTargetArn"])]
            self.assertGreater(dead_letters["MessageRetentionPeriod"], queue["MessageRetentionPeriod"])
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            function = self.function_of(mapping["FunctionName"])
            self.assertEqual(function["Environment"]["Variables"]["MAX_RECEIVE_COUNT"], "5")

    def test_a_table_can_be_recovered_and_outlives_the_stack(self):
        for name, table in self.of_type("AWS::DynamoDB::Table").items():
            self.assertTrue(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], name)
            self.assertEqual(table["BillingMode"], "PAY_PER_REQUEST", name)
            self.assertEqual(self.resources[name]["DeletionPolicy"], "RetainExceptOnCreate", name)

    def test_the_tables_have_the_keys_that_the_store_uses(self):
        source = (TEMPLATE.parents[1] / "shared/store/src/schema.rs").read_text()
        schema = r'Schema \{ variable: "(\w+)_TABLE", partition: "(\w+)", sort: "(\w+)" \}'
        index = r'Index \{ name: "([\w-]+)", partition: "(\w+)", sort: "(\w*)" \}'
        keys = lambda item: [key["AttributeName"] for key in item["KeySchema"]]  # noqa: E731
        tables = self.of_type("AWS::DynamoDB::Table")
        used = {name.title() + "Table": [partition, sort] for name, partition, sort in re.findall(schema, source)}
        self.assertEqual(used, {name: keys(table) for name, table in tables.items()})
        used = {name: [key for key in keys if key] for name, *keys in re.findall(index, source)}
        created = tables["AppointmentsTable"]["GlobalSecondaryIndexes"]
        self.assertEqual(used, {index["IndexName"]: keys(index) for index in created})

    def test_a_functions_alarms_are_beside_it(self):
        section, sections = None, {}
        for line in TEMPLATE.read_text().splitlines():
            if line.startswith("  # ------"):
                section = line.split()[-1]
            if re.fullmatch(r"  \w+Alarm:", line):
                sections.setdefault(section, []).append(line.strip(" :"))
        functions = {f["FunctionName"]["Fn::Sub"].partition("-")[2] for f in self.of_type("AWS::Lambda::Function").values()}
        self.assertEqual(set(sections), {*functions, "schedules"})
        self.assertEqual(sum(map(len, sections.values())), len(self.of_type("AWS::CloudWatch::Alarm")))

    def test_a_role_is_one_functions_own_and_names_its_resources(self):
        functions = self.of_type("AWS::Lambda::Function")
        roles = [self.referenced(function["Role"]) for function in functions.values()]
        self.assertEqual(len(set(roles)), len(functions))
        # All objects of our own bucket; X-Ray, which knows no resources; and CodeDeploy's queries for alarms by name.
        every_object = r'"\$\{(Reports|Calls)Bucket\.Arn\}/\*"'
        every_trace = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        policies = []
        for name, role in self.of_type("AWS::IAM::Role").items():
            self.assertNotIn("ManagedPolicyArns", role, name)
            policies += [(name, policy) for policy in role["Policies"]]
        for name, policy in policies:
            for statement in policy["PolicyDocument"]["Statement"]:
                # A statement under a condition is checked as if that holds.
                _, statement, _ = statement.get("Fn::If", [None, statement, None])
                if statement["Action"] in (every_trace, "cloudwatch:DescribeAlarms"):
                    self.assertEqual(statement["Resource"], "*")
                    continue
                self.assertNotIn("*", re.sub(every_object, "", json.dumps(statement)), f"{name}: {statement}")

    def test_everything_that_supports_a_key_of_ones_own_uses_it(self):
        for kind, place in {
            "AWS::DynamoDB::Table": ["SSESpecification"],
            "AWS::Lambda::Function": ["KmsKeyArn"],
            "AWS::Logs::LogGroup": ["KmsKeyId"],
            "AWS::S3::Bucket": ["BucketEncryption", "ServerSideEncryptionConfiguration"],
            "AWS::SNS::Topic": ["KmsMasterKeyId"],
            "AWS::SQS::Queue": ["KmsMasterKeyId"],
            "AWS::SecretsManager::Secret": ["KmsKeyId"],
        }.items():
            for name, properties in self.of_type(kind).items():
                # What it holds is not personal, and the schedules' roles that SAM makes have no right to another key.
                if name == "SchedulesDeadLetterQueue":
                    continue
                for step in place:
                    properties = properties[step]
                self.assertIn('"Fn::If": ["HasKey"', json.dumps(properties), name)
                self.assertIn('{"Ref": "KmsKeyArn"}', json.dumps(properties), name)
        for name, statements in self.statements_of_functions().items():
            keys = [s["Fn::If"][1]["Action"] for s in statements if s.get("Fn::If", [None])[0] == "HasKey"]
            self.assertEqual(keys, [["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"]], name)

    def statements_of_functions(self):
        """The statements in each function's role itself."""
        roles = {self.referenced(function["Role"]) for function in self.of_type("AWS::Lambda::Function").values()}
        documents = {role: self.resources[role]["Properties"]["Policies"][0]["PolicyDocument"] for role in roles}
        return {role: document["Statement"] for role, document in documents.items()}

    def test_a_role_has_what_lambda_checks_when_it_creates_the_function(self):
        # Lambda refuses a function with active tracing whose role lacks PutTraceSegments. A policy that is a resource of its
        # own is attached after the function is created, since nothing makes the function wait for it.
        self.assertNotIn("AWS::IAM::Policy", {resource["Type"] for resource in self.resources.values()})
        for name, statements in self.statements_of_functions().items():
            self.assertIn(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], [s.get("Action") for s in statements], name)

    def test_no_name_is_fixed_so_that_two_stacks_of_one_account_stay_apart(self):
        # These are unique in an account and region. Without one CloudFormation makes a name of the stack's.
        named = {
            "AWS::ApiGatewayV2::Api": "Name",
            "AWS::CloudWatch::Alarm": "AlarmName",
            "AWS::CloudWatch::Dashboard": "DashboardName",
            "AWS::CodeDeploy::Application": "ApplicationName",
            "AWS::Cognito::UserPool": "UserPoolName",
            "AWS::Cognito::UserPoolDomain": "Domain",
            "AWS::DynamoDB::Table": "TableName",
            "AWS::IAM::Role": "RoleName",
            "AWS::Lambda::Function": "FunctionName",
            "AWS::Logs::LogGroup": "LogGroupName",
            "AWS::S3::Bucket": "BucketName",
            "AWS::SNS::Topic": "TopicName",
            "AWS::SQS::Queue": "QueueName",
            "AWS::Scheduler::Schedule": "Name",
            "AWS::SecretsManager::Secret": "Name",
        }
        for kind, key in named.items():
            if kind not in {resource["Type"] for resource in self.resources.values()}:
                continue
            for name, properties in self.of_type(kind).items():
                if key in properties:
                    self.assertIn("${AWS::StackName}", json.dumps(properties[key]).replace('{"Ref": "AWS::StackName"}', "${AWS::StackName}"), name)

    def test_a_function_that_sends_to_its_own_queue_may(self):
        # Lambda's recursive loop detection follows the lineage that the SDK hands on, and stops an event after about 16 hops.
        functions = {f["FunctionName"]["Fn::Sub"]: f for f in self.of_type("AWS::Lambda::Function").values()}
        for mapping in self.of_type("AWS::Lambda::EventSourceMapping").values():
            function = self.function_of(mapping["FunctionName"])
            sends_to = [value for key, value in function["Environment"]["Variables"].items() if key.endswith("_QUEUE_URL")]
            if {"Ref": self.referenced(mapping["EventSourceArn"])} in sends_to:
                self.assertEqual(functions[function["FunctionName"]["Fn::Sub"]]["RecursiveLoop"], "Allow")

    def test_nothing_is_reached_without_tls(self):
        def closed(kind, of):
            found = set()
            for policy in self.of_type(kind).values():
                for statement in policy["PolicyDocument"]["Statement"]:
                    if statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}:
                        self.assertEqual((statement["Effect"], statement["Principal"]), ("Deny", "*"))
                        resources = statement["Resource"]
                        first = resources[0] if isinstance(resources, list) else resources
                        found.add(self.referenced(first))
            self.assertEqual(found, set(self.of_type(of)))

        closed("AWS::SQS::QueuePolicy", "AWS::SQS::Queue")
        closed("AWS::SNS::TopicPolicy", "AWS::SNS::Topic")
        closed("AWS::S3::BucketPolicy", "AWS::S3::Bucket")

    def test_the_api_is_throttled_and_its_access_log_names_no_caller(self):
        for name, stage in self.of_type("AWS::ApiGatewayV2::Stage").items():
            api = name.removesuffix("Stage")
            limits = {"ThrottlingRateLimit": {"Ref": f"{api}Rate"}, "ThrottlingBurstLimit": {"Ref": f"{api}Burst"}}
            self.assertEqual(stage["DefaultRouteSettings"], limits)
            form = stage["AccessLogSettings"]["Format"]
            self.assertTrue(json.loads(form)["request_id"])
            for personal in ("sourceIp", "userAgent", "identity", "authorizer", "path", "routeKey", "requestOverride"):
                self.assertNotIn(personal, form)

    def test_every_function_is_traced(self):
        for name, function in self.of_type("AWS::Lambda::Function").items():
            self.assertEqual(function["TracingConfig"], {"Mode": "Active"}, name)

    def test_two_stacks_of_one_account_share_nothing(self):
        names = {"FunctionName", "LogGroupName", "DashboardName", "TableName", "QueueName", "BucketName", "TopicName", "Namespace"}
        for name, resource in self.resources.items():
            for key in names & set(resource.get("Properties", {})):
                if resource["Type"] in ("AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::Lambda::Permission"):
                    continue
                value = resource["Properties"][key]
                if key == "Namespace" and str(value).startswith("AWS/") or "Ref" in value or "Fn::GetAtt" in value:
                    continue
                self.assertIn("${AWS::StackName}", value["Fn::Sub"], f"{name}: {key}")
        for function in self.of_type("AWS::Lambda::Function").values():
            self.assertEqual(function["Environment"]["Variables"]["METRICS_NAMESPACE"], {"Fn::Sub": "Frontdesk/${AWS::StackName}"})
        body = next(iter(self.of_type("AWS::CloudWatch::Dashboard").values()))["DashboardBody"]["Fn::Sub"]
        self.assertEqual(body.count('"Frontdesk'), body.count('"Frontdesk/${AWS::StackName}'))

    def test_data_outlives_the_stack(self):
        for kind in ("AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::S3::Bucket"):
            for name in self.of_type(kind):
                resource = self.resources[name]
                # A first deployment that fails leaves nothing behind that the second one would collide with.
                policies = (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
                self.assertEqual(policies, ("RetainExceptOnCreate", "Retain"), name)
        for name, table in self.of_type("AWS::DynamoDB::Table").items():
            self.assertEqual(table["DeletionProtectionEnabled"], {"Fn::If": ["ProtectsTables", True, False]}, name)

    def test_a_sweep_is_over_when_the_next_one_begins(self):
        minutes = {"rate(1 minute)": 1, "rate(1 hour)": 60, "rate(10 minutes)": 10, "cron(30 6 * * ? *)": 24 * 60}
        for schedule in self.of_type("AWS::Scheduler::Schedule").values():
            function = self.function_of(schedule["Target"]["Arn"])
            self.assertLess(function["Timeout"], 60 * minutes[schedule["ScheduleExpression"]])

    def test_a_deployment_shifts_traffic_gradually_and_rolls_back_on_an_alarm(self):
        groups = self.of_type("AWS::CodeDeploy::DeploymentGroup")
        self.assertEqual(len(groups), len(self.of_type("AWS::Lambda::Function")))
        watched = {}
        for name, group in groups.items():
            self.assertIn("DEPLOYMENT_STOP_ON_ALARM", group["AutoRollbackConfiguration"]["Events"])
            function = name.removesuffix("DeploymentGroup")
            watched[function] = {self.referenced(alarm["Name"]) for alarm in group["AlarmConfiguration"]["Alarms"]}
            self.assertIn(f"{function}ErrorsAlarm", watched[function])
            # CodeDeploy refuses a deployment group with more than ten alarms.
            self.assertLessEqual(len(watched[function]), 10)
        # A webhook that answers 5xx, or refuses what it should not, is a bad intake, although its invocations succeed.
        bad_intake = {"WebhookFaultsAlarm", "RefusedSignaturesAlarm", "RefusedEventsAlarm", "BookingsDeadLetteredAlarm"}
        self.assertLessEqual(bad_intake, watched["WebhookIntake"])
        self.assertLessEqual({"RegressedVersionAlarm", "BookingsDeadLetteredAlarm"}, watched["CalcomBooking"])
        self.assertLessEqual({"RegressedVersionAlarm", "AssignmentsDeadLetteredAlarm"}, watched["StaffAssignment"])

    def test_a_key_of_ones_own_works_for_logs_alarms_and_grants(self):
        key = deployed.read(TEMPLATE.parent / "kms-key.yaml")["Resources"]["Key"]
        # Deleting the key's stack must not make the stored data unreadable.
        self.assertEqual((key["DeletionPolicy"], key["Properties"]["EnableKeyRotation"]), ("Retain", True))
        statements = {s["Sid"]: s for s in key["Properties"]["KeyPolicy"]["Statement"]}
        use = {"kms:Decrypt", "kms:GenerateDataKey"}
        self.assertLessEqual(use, set(statements["Logs"]["Action"]))
        self.assertEqual(statements["Logs"]["Principal"], {"Service": {"Fn::Sub": "logs.${AWS::Region}.amazonaws.com"}})
        self.assertEqual((set(statements["Alarms"]["Action"]), statements["Alarms"]["Principal"]), (use, {"Service": "cloudwatch.amazonaws.com"}))
        # DynamoDB and Lambda use grants that the deployer creates.
        deployer = json.loads((TEMPLATE.parent / "deployer-policy.json").read_text())["Statement"]
        self.assertIn("kms:CreateGrant", [action for statement in deployer for action in statement["Action"]])
        # Without the account itself no policy of IAM counts, and nobody could administer the key.
        self.assertEqual(statements["Account"]["Principal"], {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}})

    def test_a_deployer_has_rights_for_every_service_of_the_template(self):
        policy = json.loads((TEMPLATE.parent / "deployer-policy.json").read_text())
        allowed = {action.partition(":")[0] for s in policy["Statement"] for action in s["Action"]}
        prefixes = {"ApiGatewayV2": "apigateway", "Cognito": "cognito-idp", "SecretsManager": "secretsmanager"}
        for resource in self.resources.values():
            service = resource["Type"].split("::")[1]
            self.assertIn(prefixes.get(service, service.lower()), allowed)
        for statement in policy["Statement"]:
            # Roles are the way to all other rights.
            if any(action.startswith("iam:") for action in statement["Action"]):
                self.assertEqual(statement["Resource"], "arn:aws:iam::*:role/frontdesk*")

    def test_what_is_refused_rings_by_its_share_of_all_requests(self):
        source = (TEMPLATE.parents[1] / "functions/webhook-intake/src/error.rs").read_text()
        for name in ("RefusedSignaturesAlarm", "RefusedEventsAlarm"):
            metrics = self.resources[name]["Properties"]["Metrics"]
            kinds = [d["Value"] for m in metrics if "MetricStat" in m for d in m["MetricStat"]["Metric"]["Dimensions"] if d["Name"] == "kind"]
            self.assertTrue(kinds)
            for kind in kinds:
                self.assertIn(f'"{kind}"', source)
                # A stranger's request without a signature must not stop a deployment.
                self.assertNotEqual(kind, "signature_missing")
            self.assertEqual([m["Id"] for m in metrics if m.get("ReturnData", True)], ["share"])
        self.assertEqual(self.resources["WebhookClientErrorsAlarm"]["Properties"]["MetricName"], "4xx")

    def test_the_desk_reads_no_secret_and_people_come_by_invitation_alone(self):
        rights = json.dumps(self.statements_of_functions()["DeskRole"])
        self.assertNotIn("secretsmanager", rights)
        self.assertNotIn("Secret", rights)
        pool = self.resources["UserPool"]["Properties"]
        self.assertTrue(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"])
        client = self.resources["UserPoolClient"]["Properties"]
        self.assertEqual((client["AllowedOAuthFlows"], client["GenerateSecret"]), (["code"], False))
        # No route of an API leads to the function that has the keys.
        invoked_by = [p["Principal"] for p in self.of_type("AWS::Lambda::Permission").values() if self.referenced(p["FunctionName"]).startswith("BackOffice")]
        self.assertEqual(invoked_by, [])

    def test_unusually_long_silence_rings(self):
        alarm = self.resources["CallSilenceAlarm"]
        self.assertEqual((alarm["Condition"], alarm["Properties"]["TreatMissingData"]), ("HasCallSilence", "breaching"))
        # CloudWatch looks back seven days at most, where a period is an hour or longer.
        parameter = self.parameters["CallSilenceHours"]
        self.assertLessEqual(parameter["MaxValue"] * alarm["Properties"]["Period"], 7 * 24 * 3600)

    def test_whoever_floods_the_webhook_meets_limits_that_are_parameters(self):
        route = self.resources["WebhookRoute"]["Properties"]["RouteKey"]["Fn::If"]
        self.assertEqual(route, ["HasPathSegment", {"Fn::Sub": "POST /webhooks/retell/${WebhookPathSegment}"}, "POST /webhooks/retell"])
        permitted = self.resources["WebhookPermission"]["Properties"]["SourceArn"]["Fn::Sub"]
        self.assertTrue(permitted[0].endswith("/webhooks/retell${Segment}"))
        reserved = self.resources["WebhookIntake"]["Properties"]["ReservedConcurrentExecutions"]
        self.assertEqual(reserved["Fn::If"][:2], ["HasIntakeConcurrency", {"Ref": "IntakeConcurrency"}])

    def test_a_new_stack_can_keep_the_agents_url(self):
        for name in ("WebhookDomain", "WebhookDomainMapping"):
            self.assertEqual(self.resources[name]["Condition"], "HasDomain")
        host = self.template["Outputs"]["WebhookUrl"]["Value"]["Fn::Sub"][1]["Host"]
        self.assertEqual(host["Fn::If"][:2], ["HasDomain", {"Ref": "DomainName"}])

    def test_schedules_can_be_switched_off_and_what_they_fail_to_do_is_a_dead_letter(self):
        letters = {"Fn::GetAtt": ["SchedulesDeadLetterQueue", "Arn"]}
        roles = self.statements_of_functions()
        configured = {self.referenced(c["FunctionName"]): c for c in self.of_type("AWS::Lambda::EventInvokeConfig").values()}
        for name, schedule in self.of_type("AWS::Scheduler::Schedule").items():
            self.assertEqual(schedule["State"], {"Ref": "Schedules"}, name)
            self.assertEqual(schedule["Target"]["DeadLetterConfig"], {"Arn": letters}, name)
            # A schedule invokes asynchronously: without this Lambda itself invokes twice more, and then forgets.
            alias = self.resources[self.referenced(schedule["Target"]["Arn"])]["Properties"]
            function = self.referenced(alias["FunctionName"])
            config = configured[function]
            self.assertEqual((config["Qualifier"], config["DestinationConfig"]), ("live", {"OnFailure": {"Destination": letters}}))
            # Lambda refuses the destination if the role may not send to it.
            role = self.referenced(self.resources[function]["Properties"]["Role"])
            self.assertIn({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": letters}, roles[role], name)

    def test_a_deployment_gives_every_function_a_new_version_whatever_has_changed(self):
        def versions(deployment):
            resources = expanded(**self.given, DeploymentId=deployment)
            return {name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"}

        one, other = versions("1700000000"), versions("1700000001")
        self.assertEqual(len(one), len(self.of_type("AWS::Lambda::Function")))
        self.assertEqual(one & other, set())
        # Lambda publishes no version of a function in which nothing has changed, and CloudFormation fails.
        for function in self.of_type("AWS::Lambda::Function").values():
            self.assertEqual(function["Environment"]["Variables"]["DEPLOYMENT_ID"], {"Ref": "DeploymentId"})
        self.assertEqual(one, versions("1700000000"))
        # SAM names a version by ten characters of the id: a longer one would not tell two deployments of a day apart.
        self.assertEqual(versions("17000000001"), versions("17000000002"))
        self.assertEqual(self.parameters["DeploymentId"]["AllowedPattern"], "[0-9a-z]{10}")

    def test_whoever_is_notified_of_an_alarm_is_notified_of_its_end(self):
        for name, alarm in self.of_type("AWS::CloudWatch::Alarm").items():
            # These are counted once and may stay so: nothing measures their end.
            once = {"EventTypeMisconfiguredAlarm", "BookingsNotVisibleAlarm", "KeyExpiringAlarm"}
            once |= {"CallUnroutedAlarm", "CallsRecoveredAlarm", "CallsNotAnalyzedAlarm"}
            if name not in once:
                self.assertEqual(alarm.get("AlarmActions"), alarm.get("OKActions"), name)

    def test_every_function_has_alarms_and_is_on_the_dashboard(self):
        names = {f["FunctionName"]["Fn::Sub"] for f in self.of_type("AWS::Lambda::Function").values()}
        body = next(iter(self.of_type("AWS::CloudWatch::Dashboard").values()))["DashboardBody"]["Fn::Sub"]
        json.loads(body)
        self.assertEqual({name for name in names if name in body}, names)
        self.assertEqual(set(self.watched("Errors")), names)
        # A throttled function leaves old messages in its queue, or dead letters of its schedule, and those ring.
        # Of what somebody calls and waits for, nothing is left.
        waited_for = {f"${{AWS::StackName}}-{name}" for name in ("webhook-intake", "voice-tools", "desk", "back-office")}
        self.assertEqual(set(self.watched("Throttles")), waited_for)

    def watched(self, metric):
        """The alarms that watch this metric of a function, by the function."""
        alarms = [a for a in self.of_type("AWS::CloudWatch::Alarm").values() if a.get("MetricName") == metric]
        return {alarm["Dimensions"][0]["Value"]["Fn::Sub"]: alarm for alarm in alarms}

    def test_a_scheduled_function_that_fails_once_or_is_not_invoked_rings(self):
        errors, invocations = self.watched("Errors"), self.watched("Invocations")
        for schedule in self.of_type("AWS::Scheduler::Schedule").values():
            name = self.function_of(schedule["Target"]["Arn"])["FunctionName"]["Fn::Sub"]
            self.assertEqual(errors[name]["Threshold"], 0, name)
            self.assertEqual(invocations[name]["TreatMissingData"], "breaching", name)

    def test_who_is_alerted_is_said_and_not_nobody_by_default(self):
        self.assertNotIn("Default", self.parameters["AlertEmail"])

    def test_a_log_group_is_kept_for_a_bounded_time_and_each_function_has_its_own(self):
        groups = self.of_type("AWS::Logs::LogGroup")
        for name, group in groups.items():
            self.assertIn("RetentionInDays", group, name)
        logged = [self.referenced(f["LoggingConfig"]["LogGroup"]) for f in self.of_type("AWS::Lambda::Function").values()]
        self.assertEqual(sorted([*logged, "WebhookAccessLogs", "DeskAccessLogs"]), sorted(groups))


class WithoutGradualDeployment(TheTemplate):
    """Every rule holds as well where a new version gets all traffic at once."""

    given = {"GradualDeployment": "false"}

    def test_a_deployment_shifts_traffic_gradually_and_rolls_back_on_an_alarm(self):
        self.assertNotIn("AWS::CodeDeploy::DeploymentGroup", {resource["Type"] for resource in self.resources.values()})


if __name__ == "__main__":
    unittest.main()
