"""gatehouse completion: the script by which a shell completes the command."""

import click

from operations.commands import Command

PROGRAM = "gatehouse"
COMPLETE_VARIABLE = "_GATEHOUSE_COMPLETE"


@click.command(
    "completion",
    cls=Command,
    shared=False,
    examples="""
    source <(gatehouse completion bash)
    source <(gatehouse completion zsh)
    gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which SHELL completes commands, project names and key IDs.

    Names and IDs come from the gateway, with the key from the environment or the profile; without an answer
    within two seconds there are none.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 (the choice is among click's own)
    click.echo(found(context.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source())
