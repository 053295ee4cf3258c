"""What all commands share: the options that find the gateway, help with examples, and how a command runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from operations.errors import RefusedError
from operations.profile import (
    DEFAULT_TIMEOUT_SECONDS,
    ENDPOINT_VARIABLE,
    KEY_VARIABLE,
    PROFILE_VARIABLE,
    connection,
)

if TYPE_CHECKING:
    from operations.client import Gateway
    from operations.output import Shown

_META = "operations.options"


def options_of(context: click.Context) -> dict[str, Any]:
    """What was given of the shared options, before or after the name of the command."""
    found: dict[str, Any] = context.meta.setdefault(_META, {})
    return found


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    # Not given here: what was given before the command's name stays.
    if value is not None and value is not False:
        options_of(context)[str(parameter.name)] = value
    return value


def shared_options() -> list[click.Option]:
    """The options of every command. The key is none of them: arguments show in lists of processes."""
    kept: dict[str, Any] = {"callback": _keep, "expose_value": False}
    existing = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
    return [
        click.Option(
            ["--endpoint"], **kept, metavar="URL", help=f"The gateway's address. [{ENDPOINT_VARIABLE}]"
        ),
        click.Option(
            ["--key-file"],
            **kept,
            type=existing,
            help=f"A file with the admin key, - for stdin; else {KEY_VARIABLE}, the profile's key_command or "
            "a prompt. There is no option for the key itself: it would show in the list of processes.",
        ),
        click.Option(
            ["--profile"],
            **kept,
            metavar="NAME",
            help=f"A section of ~/.config/gatehouse/config.toml. [{PROFILE_VARIABLE}]",
        ),
        click.Option(
            ["--timeout"],
            **kept,
            type=float,
            metavar="SECONDS",
            help=f"How long to wait and try again for an answer. [{DEFAULT_TIMEOUT_SECONDS:.0f}]",
        ),
        click.Option(
            ["--ca-file"],
            **kept,
            type=click.Path(path_type=Path, dir_okay=False),
            help="Trust only these certificate authorities (PEM).",
        ),
        json_option(),
    ]


def json_option() -> click.Option:
    """The only one of the shared options that commands have which ask no gateway."""
    return click.Option(
        ["--json", "as_json"],
        callback=_keep,
        expose_value=False,
        is_flag=True,
        help="Print JSON for programs, not tables.",
    )


class Command(click.Command):
    """A command with the shared options; its help ends with examples.

    asks_gateway: whether it has more of them than --json.
    """

    def __init__(
        self, *args: Any, examples: str, shared: bool = True, asks_gateway: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._examples = examples
        self._shared: list[click.Option] = []
        if shared:
            self._shared = shared_options() if asks_gateway else [json_option()]
        self.params.extend(self._shared)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options apart from the shared ones."""
        _write_options(self, ctx, formatter, self._shared)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and what stands below them."""
        _write_examples(self._examples, formatter)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """Commands about one noun; with examples, it is a command itself."""

    command_class = Command

    def __init__(self, *args: Any, examples: str = "", shared: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._examples = examples
        self._shared = shared_options() if shared else []
        self.params.extend(self._shared)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write its own options apart from the shared ones, then its commands."""
        _write_options(self, ctx, formatter, self._shared)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and what stands below them."""
        if self._examples:
            _write_examples(self._examples, formatter)
        super().format_epilog(ctx, formatter)


def _write_options(
    command: click.Command,
    context: click.Context,
    formatter: click.HelpFormatter,
    shared: Sequence[click.Parameter],
) -> None:
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            (common if parameter in shared else own).append(record)
    for title, records in (("Options", own), ("Options of every command", common)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _write_examples(examples: str, formatter: click.HelpFormatter) -> None:
    with formatter.section("Examples"):
        for line in dedent(examples).strip().splitlines():
            formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Session:
    """One run of a command: the gateway it asks and how it shows what it finds."""

    def __init__(self, context: click.Context) -> None:
        self._options = options_of(context)
        self._gateway: Gateway | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def as_json(self) -> bool:
        """Whether programs read the output."""
        return bool(self._options.get("as_json"))

    @property
    def gateway(self) -> Gateway:
        """The gateway; the first use asks for the key."""
        if self._gateway is None:
            from operations.client import Gateway
            from operations.sign_in import key_of

            found = connection(self._options)
            self._gateway = self._open.enter_context(Gateway(found, key_of(found)))
        return self._gateway

    def show(self, value: Any, table: Callable[[], Shown]) -> None:
        """Print a value as JSON, or for people by a function that draws it."""
        from operations.output import print_json, print_shown

        if self.as_json:
            print_json(value)
        else:
            print_shown(table())

    def say(self, message: str) -> None:
        """Tell people on stderr what was done."""
        from operations.text import clean

        click.echo(clean(message), err=True)


def with_session(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command its session as the first argument."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        with Session(click.get_current_context()) as session:
            function(session, *args, **kwargs)

    return run


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; raises RefusedError if the answer is no or nobody can answer."""
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        agreed = False
    if not agreed:
        raise RefusedError("not confirmed: nothing was changed. Scripts agree with --yes")
