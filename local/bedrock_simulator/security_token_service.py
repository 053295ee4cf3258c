"""AWS STS beside Bedrock: AssumeRole for the roles of a scenario's accounts."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from aiohttp import web

from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.faults import RoleRefused
from local.bedrock_simulator.scenario import Role
from local.bedrock_simulator.sessions import Session
from local.bedrock_simulator.signature import SignedRequest
from local.bedrock_simulator.simulator import Simulator

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_SHORTEST_SECONDS = 900
# What a role that another role assumes may ask for at most (role chaining).
_LONGEST_SECONDS = 3600
_STATUS_OF_FAULT = {"AccessDenied": 403, "Throttling": 400, "ServiceUnavailable": 503}


class _RefusalError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


async def assume_role(simulator: Simulator, request: web.Request) -> web.Response:
    """Answer one call of STS's Query API, in XML."""
    body = await request.read()
    call = simulator.log.start(str(uuid.uuid4()), "AssumeRole", "", simulator.clock.now())
    signed = SignedRequest(request.method, f"http://{request.host}{request.raw_path}", request.headers, body)
    try:
        caller = simulator.authenticator.authenticate(signed, service="sts")
        call.account, call.region, call.access_key = caller.account, caller.region, caller.access_key
        fields = dict(parse_qsl(body.decode()))
        call.model = fields.get("RoleArn", "")
        session = _open_session(simulator, fields)
    except ServiceError as error:
        call.outcome, call.status, call.error = "refused", error.status, error.name
        return _refused(error.status, error.name.removesuffix("Exception"), error.message)
    except _RefusalError as error:
        call.outcome, call.status, call.error = "refused", error.status, error.code
        return _refused(error.status, error.code, error.message)
    call.outcome, call.status = "answered", 200
    return web.Response(text=_answer(session), content_type="text/xml")


def _open_session(simulator: Simulator, fields: Mapping[str, str]) -> Session:
    if fields.get("Action") != "AssumeRole" or fields.get("Version") != "2011-06-15":
        raise _RefusalError(400, "InvalidAction", "Could not find this operation for this version")
    arn, name, seconds = fields["RoleArn"], fields["RoleSessionName"], int(fields["DurationSeconds"])
    if (fault := simulator.faults.take_for_role(arn)) is not None:
        raise _fault(fault)
    role = simulator.roles.get(arn)
    if role is None or role.external_id not in (None, fields.get("ExternalId")):
        raise _RefusalError(403, "AccessDenied", f"Not authorized to perform: sts:AssumeRole on {arn}")
    if not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role"
        raise _RefusalError(400, "ValidationError", message)
    tags = _tags(fields)
    if tags and not role.session_tags:
        raise _RefusalError(403, "AccessDenied", f"Not authorized to perform: sts:TagSession on {arn}")
    return simulator.authenticator.sessions.open(arn, name, tags, _lifetime_seconds(role, seconds))


def _lifetime_seconds(role: Role, asked_seconds: int) -> float:
    return asked_seconds if role.session_seconds is None else role.session_seconds


def _tags(fields: Mapping[str, str]) -> dict[str, str]:
    tags = {}
    number = 1
    while (key := fields.get(f"Tags.member.{number}.Key")) is not None:
        tags[key] = fields[f"Tags.member.{number}.Value"]
        number += 1
    return tags


def _fault(fault: RoleRefused) -> _RefusalError:
    return _RefusalError(
        _STATUS_OF_FAULT[fault.error], fault.error, "The simulator was told to refuse this role."
    )


def _answer(session: Session) -> str:
    expires = datetime.fromtimestamp(session.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<AssumeRoleResponse xmlns="{_NAMESPACE}"><AssumeRoleResult>'
        f"<AssumedRoleUser><Arn>{escape(session.principal)}</Arn></AssumedRoleUser>"
        f"<Credentials><AccessKeyId>{session.access_key}</AccessKeyId>"
        f"<SecretAccessKey>{session.secret}</SecretAccessKey>"
        f"<SessionToken>{session.token}</SessionToken><Expiration>{expires}</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>"
    )


def _refused(status: int, code: str, message: str) -> web.Response:
    text = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    return web.Response(status=status, text=text, content_type="text/xml")
