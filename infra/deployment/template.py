"""The template as AWS gets it, and the part of it that a deleted stack leaves behind."""

import json
import logging
import os

import boto3
from cfnlint.decode import cfn_yaml
from frontdesk_local import tools
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

TEMPLATE = tools.ROOT / "infra/template.yaml"
# By which property CloudFormation imports what a stack left behind.
IDENTIFIERS = {"AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName", "AWS::SecretsManager::Secret": "Id", "AWS::Cognito::UserPool": "UserPoolId"}


def read(path=TEMPLATE):
    """The template as it is written."""
    return json.loads(json.dumps(cfn_yaml.load(str(path))))


def expanded(given, path=TEMPLATE):
    """The template as CloudFormation sees it after SAM's transform, with these parameters given."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    # It warns of features and metrics of its own service.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    parsed = read(path)
    for resource in parsed["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "code", "Key": "code.zip"}
    defaults = {name: parameter.get("Default") for name, parameter in parsed["Parameters"].items()}
    iam = boto3.client("iam", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none")
    return transform(parsed, defaults | given, ManagedPolicyLoader(iam))["Resources"]


def kept(template):
    """The part of the template that outlives its stack: a stack is created by import with nothing else."""
    resources = {name: r for name, r in template["Resources"].items() if r.get("DeletionPolicy") == "RetainExceptOnCreate"}
    text = json.dumps(resources)
    conditions = {name: c for name, c in template["Conditions"].items() if f'"{name}"' in text}
    text += json.dumps(conditions)
    parameters = {name: p for name, p in template["Parameters"].items() if f'{{"Ref": "{name}"}}' in text}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": parameters, "Conditions": conditions, "Resources": resources}
