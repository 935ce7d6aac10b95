"""Deploys Frontdesk to an AWS account."""
