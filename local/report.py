"""What `up` and `smoke` tell at the end, for people and as JSON."""

import json
import shlex
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from local.addresses import Mapped
from local.first_key import PROJECT, FirstKey, Usage
from local.first_request import Answers
from local.progress import Step

PROVES = (
    "This proves that the stacks deploy in order and fit together, that the role in charge may read the "
    "gateway's secrets, that CloudFormation runs the migrations before it deploys the gateway, and that this "
    "runs from the deployed task definition or Deployment, secrets and model catalog and keeps a ledger. "
    "It proves nothing about AWS's own behaviour: other IAM policies, networking, TLS, WAF, scaling and "
    "failover are only recorded here, the models are simulated, and no container image was built."
)


@dataclass(frozen=True, kw_only=True)
class StackSummary:
    """A deployed stack."""

    name: str
    status: str
    resources: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that ran."""

    steps: list[Step]
    stacks: list[StackSummary]
    stand_ins: list[str]
    task_definition: str
    addresses: list[Mapped]
    answers: Answers
    url: str
    api_key: str
    first_key: FirstKey
    usage: Usage

    @property
    def curl(self) -> str:
        """A command line that asks the gateway something."""
        body = {"model": self.answers.model, "messages": [{"role": "user", "content": "Hello!"}]}
        key = f"Authorization: Bearer {self.first_key.key}"
        words = ["curl", f"{self.url}/v1/chat/completions", "-H", key]
        return shlex.join([*words, "-H", "Content-Type: application/json", "-d", json.dumps(body)])

    @property
    def gatehouse(self) -> list[str]:
        """How the key was made, and further command lines to try."""
        variables = f"export GATEHOUSE_ENDPOINT={self.url} GATEHOUSE_KEY={self.api_key}"
        return [variables, *self.first_key.commands, "gatehouse usage --group-by project,model"]

    def as_json(self) -> str:
        """The report as one JSON object on one line."""
        return json.dumps({**asdict(self), "curl": self.curl, "gatehouse": self.gatehouse, "proves": PROVES})


def print_report(report: Report, console: Console) -> None:
    """Print the tables and how to try the gateway."""
    console.print()
    console.print(_steps(report.steps))
    console.print(_stacks(report))
    console.print(_addresses(report))
    console.print(f"Started from     {report.task_definition}", soft_wrap=True)
    console.print(
        f"Asked            {report.answers.model}, whole and streamed in {report.answers.chunks} chunks"
    )
    console.print(f"Answered         {report.answers.whole}", soft_wrap=True, markup=False)
    console.print(f"Gateway          [bold]{report.url}/v1[/]  (OpenAI base URL)")
    console.print(f"Admin key        {report.api_key}", soft_wrap=True, markup=False)
    console.print(f"Key of {PROJECT:9} {report.first_key.key}", soft_wrap=True, markup=False)
    console.print(
        f"Its usage        {report.usage.requests} requests, {report.usage.input_tokens} tokens in, "
        f"{report.usage.output_tokens} out, USD {report.usage.usd:.6f}"
    )
    console.print("Try it:")
    for line in (report.curl, *report.gatehouse):
        console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"\n[dim]{PROVES}[/]")


def _steps(steps: list[Step]) -> Table:
    table = Table("Step", title="What ran", title_justify="left", show_footer=True)
    table.columns[0].footer = "Total"
    table.add_column("Seconds", footer=f"{sum(step.seconds for step in steps):.1f}", justify="right")
    for step in steps:
        table.add_row(step.name, f"{step.seconds:.1f}")
    return table


def _stacks(report: Report) -> Table:
    count = sum(stack.resources for stack in report.stacks)
    title = f"Deployed: {count} resources ({len(report.stand_ins)} stand-ins)"
    table = Table("Stack", "Status", title=title, title_justify="left")
    table.add_column("Resources", justify="right")
    for stack in report.stacks:
        table.add_row(stack.name, stack.status, str(stack.resources))
    return table


def _addresses(report: Report) -> Table:
    title = "Mapped: the gateway's environment as deployed, but for these"
    table = Table(title=title, title_justify="left")
    table.add_column("Variable", no_wrap=True)
    table.add_column("Deployed", overflow="fold")
    table.add_column("Here", overflow="fold")
    table.add_column("Why")
    for row in report.addresses:
        table.add_row(row.variable, row.deployed, row.local, row.reason)
    return table
