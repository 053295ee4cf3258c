"""A domain that mail is sent from."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_ses as ses
from constructs import Construct

from gatehouse.alarms import notify
from gatehouse.custom_resource_function import CustomResourceFunction

# The longest that Lambda allows; the records of a zone that is in use are found within minutes.
TIME_LIMIT = cdk.Duration.minutes(15)
# Shares of the mails, above which Amazon SES reviews an account; at twice as much it stops sending.
BOUNCE_RATE_LIMIT = 0.05
COMPLAINT_RATE_LIMIT = 0.001
_CONFIGURATION_SET = "ses:configuration-set"
_TROUBLE = [
    ses.EmailSendingEvent.BOUNCE,
    ses.EmailSendingEvent.COMPLAINT,
    ses.EmailSendingEvent.DELIVERY_DELAY,
    ses.EmailSendingEvent.REJECT,
    ses.EmailSendingEvent.RENDERING_FAILURE,
]


class MailDomain(Construct):
    """A domain of Amazon SES with its records in `hosted_zone`: DKIM, and a MAIL FROM that SPF covers.

    Mail leaves over TLS or not at all, and not to addresses that bounced or complained; `configuration_set`
    says so to whoever sends. What sends comes after `verified`: until then SES refuses the domain.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        domain: str,
        hosted_zone: route53.IHostedZone,
        alarm_topic_arn: str,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._domain = domain
        self.configuration_set = ses.ConfigurationSet(
            self,
            "ConfigurationSet",
            tls_policy=ses.ConfigurationSetTlsPolicy.REQUIRE,
            reputation_metrics=True,
            suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
        )
        self._watch(alarm_topic_arn)
        identity = ses.EmailIdentity(
            self,
            "Identity",
            identity=ses.Identity.domain(domain),
            dkim_identity=ses.DkimIdentity.easy_dkim(ses.EasyDkimSigningKeyLength.RSA_2048_BIT),
            mail_from_domain=self._mail_from,
            configuration_set=self.configuration_set,
        )
        records = self._records(identity, hosted_zone)
        self.verified = self._verified(identity, log_key, log_retention, removal_policy)
        self.verified.node.add_dependency(*records)

    @property
    def _mail_from(self) -> str:
        return f"bounce.{self._domain}"

    def _records(self, identity: ses.EmailIdentity, zone: route53.IHostedZone) -> list[Construct]:
        region = cdk.Stack.of(self).region
        sender = f"{self._mail_from}."
        bounces = route53.MxRecordValue(priority=10, host_name=f"feedback-smtp.{region}.amazonses.com")
        return [
            *(
                # The names come whole from SES: the dot keeps the zone's from being appended.
                route53.CnameRecord(
                    self, f"Dkim{index}", zone=zone, record_name=f"{record.name}.", domain_name=record.value
                )
                for index, record in enumerate(identity.dkim_records, start=1)
            ),
            route53.MxRecord(self, "MailFrom", zone=zone, record_name=sender, values=[bounces]),
            route53.TxtRecord(
                self, "Spf", zone=zone, record_name=sender, values=["v=spf1 include:amazonses.com -all"]
            ),
        ]

    def _watch(self, alarm_topic_arn: str) -> None:
        self.configuration_set.add_event_destination(
            "Trouble",
            destination=ses.EventDestination.cloud_watch_dimensions(
                [
                    ses.CloudWatchDimension(
                        source=ses.CloudWatchDimensionSource.MESSAGE_TAG,
                        name=_CONFIGURATION_SET,
                        default_value="none",
                    )
                ]
            ),
            events=_TROUBLE,
        )
        for name, limit in (("BounceRate", BOUNCE_RATE_LIMIT), ("ComplaintRate", COMPLAINT_RATE_LIMIT)):
            metric = cloudwatch.Metric(
                namespace="AWS/SES",
                metric_name=f"Reputation.{name}",
                dimensions_map={_CONFIGURATION_SET: self.configuration_set.configuration_set_name},
                statistic=cloudwatch.Stats.MAXIMUM,
                period=cdk.Duration.hours(1),
            )
            alarm = metric.create_alarm(
                self,
                name,
                alarm_description=f"{name} of the platform's mail: Amazon SES stops sending at twice as much",
                threshold=limit,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                evaluation_periods=1,
                treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
            )
            notify(alarm, alarm_topic_arn)

    def _verified(
        self,
        identity: ses.EmailIdentity,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> cdk.CustomResource:
        function = CustomResourceFunction(
            self,
            "Function",
            handler="verified_mail",
            description="Waits for CloudFormation until Amazon SES has verified a domain",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        identity.grant(function.role, "ses:GetEmailIdentity")
        return function.resource(
            self,
            "Verified",
            resource_type="Custom::VerifiedMailDomain",
            properties={"Domain": self._domain},
        )
