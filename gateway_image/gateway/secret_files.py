"""Secrets in files, for platforms that mount them instead of handing them over as variables."""

from collections.abc import Mapping
from pathlib import Path


def read_secret_files(
    environ: Mapping[str, str], *, folder_variable: str, files: Mapping[str, str], prefix: str
) -> tuple[dict[str, str], list[str]]:
    """Read the secrets in the folder that an environment names, if it does.

    files: the secret that each file holds, by the file's name, which is that of the variable it stands for.
    Files that do not begin with `prefix` belong to whatever mounts the folder. Returns the secrets, and a
    line for each problem: a file for no secret, one that cannot be read, a secret that is a variable as well.
    """
    folder = environ.get(folder_variable)
    if folder is None:
        return {}, []
    try:
        found = sorted(file for file in Path(folder).iterdir() if file.name.startswith(prefix))
    except OSError as error:
        return {}, [f"{folder_variable}: {error.strerror}; mount the folder or remove the variable"]
    secrets: dict[str, str] = {}
    problems: list[str] = []
    for file in found:
        if file.name not in files:
            problems.append(f"{file.name}: a file for no secret of this gateway; mend its name or remove it")
        elif file.name in environ:
            problems.append(f"{file.name}: given both as a variable and as a file; remove one of them")
        else:
            try:
                # To the byte, as a variable would hold it: a line's end is part of the secret.
                secrets[files[file.name]] = file.read_bytes().decode()
            except (OSError, UnicodeDecodeError) as error:
                # Not the error's own text: it may quote the secret.
                problems.append(f"{file.name}: cannot be read as UTF-8 text: {type(error).__name__}")
    return secrets, problems
