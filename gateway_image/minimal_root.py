"""Assemble the image's whole file system: `python minimal_root.py <package folder> <new root>`.

Runs during the image's build, by the interpreter of the virtual environment that goes into the image.
Copied are the interpreter, its standard library, the environment, the package, the shared libraries that
any of them loads, CA certificates, and Debian's records of exactly these, for vulnerability scanners.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ENVIRONMENT = Path(sys.prefix)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix}))
# Parts of the standard library for development and terminals; with them go SQLite, ncurses and readline.
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "site-packages", "dist-packages", "config-3*",
    "curses", "dbm", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "sqlite3", "test", "tkinter", "turtle*",
    "_ctypes_test.*", "_curses*.so", "_dbm.*", "_gdbm.*", "_sqlite3.*", "_test*.so", "_tkinter.*",
    "_xxtest*.so", "readline.*", "xx*.so",
)  # fmt: skip
CA_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
DPKG = Path("/var/lib/dpkg")
USERS = "root:x:0:0::/:/sbin/nologin\ngateway:x:10001:10001::/:/sbin/nologin\n"
GROUPS = "root:x:0:\ngateway:x:10001:\n"


def main(package: Path, root: Path) -> None:
    """Fill the new root, which must not exist."""
    root.mkdir()
    for link in (Path("/lib"), Path("/lib64")):
        if link.is_symlink():
            copy(link, root)
    copy_standard_library(root)
    copy_environment(package, root)
    for library in shared_libraries(root):
        copy(library, root)
    for path in (CA_CERTIFICATES, Path("/etc/os-release"), Path("/etc/nsswitch.conf")):
        copy(path, root)
    copy_package_records(root)
    write(root, "/etc/passwd", USERS)
    write(root, "/etc/group", GROUPS)
    temporary = root / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    make_library_cache(root)
    compile_everything(root)
    for path in (root, *root.rglob("*")):
        os.utime(path, (0, 0), follow_symlinks=False)  # the same files make the same layer


def inside(root: Path, path: Path) -> Path:
    """Where an absolute path lies within the new root."""
    return root / path.relative_to("/")


def copy(path: Path, root: Path) -> None:
    """Copy a file to the same place; of a symbolic link its whole chain."""
    target = inside(root, path)
    if os.path.lexists(target):
        return
    if not path.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
        return
    destination = path.parent / path.readlink()
    if destination.is_dir():
        inside(root, destination.resolve()).mkdir(parents=True, exist_ok=True)
    else:
        copy(Path(os.path.normpath(destination)), root)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(path.readlink())


def copy_standard_library(root: Path) -> None:
    """The standard library without what is left out; links become files."""
    shutil.copytree(
        STANDARD_LIBRARY, inside(root, STANDARD_LIBRARY), ignore=LEFT_OUT, ignore_dangling_symlinks=True
    )


def copy_environment(package: Path, root: Path) -> None:
    """The virtual environment without its scripts, and the package in it."""
    for path in (ENVIRONMENT / "bin" / "python", ENVIRONMENT / "pyvenv.cfg"):
        copy(path, root)
    site_packages = Path(sysconfig.get_path("purelib"))
    shutil.copytree(site_packages, inside(root, site_packages))
    shutil.copytree(package, inside(root, site_packages / package.name))


def shared_libraries(root: Path) -> set[Path]:
    """The libraries outside the environment that the interpreter or an extension module loads."""
    interpreter = (ENVIRONMENT / "bin" / "python").resolve()
    modules = [file for file in root.rglob("*.so*") if file.is_file()]
    listing = output_of("ldd", interpreter, *modules)
    missing = re.findall(r"(\S+) => not found", listing)
    if missing:
        raise SystemExit(f"libraries that the base image lacks: {', '.join(sorted(set(missing)))}")
    libraries = {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(0x", listing, re.MULTILINE)}
    return {library for library in libraries if not library.is_relative_to(root)}


def output_of(*command: str | Path) -> str:
    """Run a program of the base image; CalledProcessError when it fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 (no input from outside)


def copy_package_records(root: Path) -> None:
    """Debian's status and licences of the packages that own a copied file."""
    copied = {in_real_folder("/" / path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    owners = {"ca-certificates"}  # its bundle is made at installation and owned by nobody
    for record in DPKG.glob("info/*.list"):
        if any(in_real_folder(Path(line)) in copied for line in record.read_text().splitlines()):
            owners.add(record.name.removesuffix(".list").partition(":")[0])
    stanzas = (DPKG / "status").read_text().strip().split("\n\n")
    kept = [stanza for stanza in stanzas if stanza.partition("\n")[0].removeprefix("Package: ") in owners]
    write(root, str(DPKG / "status"), "\n\n".join(kept) + "\n")
    for owner in owners:
        licence = Path("/usr/share/doc", owner, "copyright")
        if licence.exists():
            copy(licence, root)


def in_real_folder(path: Path) -> Path:
    """The same file without links among its folders: some packages record /lib for /usr/lib."""
    return path.parent.resolve() / path.name


def write(root: Path, path: str, text: str) -> None:
    """Write a text file in the new root."""
    target = inside(root, Path(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def make_library_cache(root: Path) -> None:
    """Let the loader find libraries in /usr/local/lib, where the official Python images have libpython."""
    copy(Path("/etc/ld.so.conf"), root)
    for path in Path("/etc/ld.so.conf.d").iterdir():
        copy(path, root)
    output_of("ldconfig", "-r", root)


def compile_everything(root: Path) -> None:
    """Compile once: the running image can write no bytecode, and the official ones hold none."""
    compiled = compileall.compile_dir(
        root,
        maxlevels=20,
        quiet=1,
        stripdir=root,
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise SystemExit("a module does not compile; see above")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
