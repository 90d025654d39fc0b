"""Every check, each in an environment of its own.

In a checkout, and as README has it:

    python3 -m venv .venv && .venv/bin/pip install -c constraints.txt 'nox[uv]' && .venv/bin/nox
"""

from __future__ import annotations

import atexit
import functools
import os
import runpy
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nox
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "layers", "tests", "importers", "docs", "wheel"]
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "uv|virtualenv"
# A Python that this machine lacks is skipped, also where `CI` is set. Workflows ask for more.
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False

# Sessions start hundreds of processes, each of which would compile whatever it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
LOCK = "constraints.txt"
"""A relative path, because pip and uv split these variables at blanks."""
LOCKED_BUILDS = dict.fromkeys(("PIP_BUILD_CONSTRAINT", "UV_BUILD_CONSTRAINT"), LOCK)
LOCKED = LOCKED_BUILDS | dict.fromkeys(("PIP_CONSTRAINT", "UV_CONSTRAINT"), LOCK)
# Costs a quarter of the time. Without its checks of memory, which are for extensions in C.
DEV_MODE = {"PYTHONDEVMODE": "1", "PYTHONMALLOC": "pymalloc"}
# Two more than there are cores, since many tests wait for processes of their own.
SIDE_BY_SIDE = (f"--numprocesses={min(4, (os.cpu_count() or 1) + 2)}", "--dist=worksteal")
EXTRAS = ("cli", "keys", "mcp", "metrics", "otel", "redis", "fleet")
SMOKE = (
    "tests/call/test_wire.py",
    "tests/contract",
    "tests/endpoints",
    "tests/integration/test_round_trip.py",
    "tests/sandbox/test_sandbox.py",
    "tests/util",
)
PEERS = ("tests/sandbox/test_foreign_clients.py", "tests/docs/test_compare.py")
FLEETS = (
    "tests/docs/test_reference.py",
    "tests/fleet",
    "tests/ledger/test_access.py",
    "tests/simulation/test_fleets.py",
    "tests/simulation/test_sick_workers.py",
)
FLEETS_PAGE = (
    "tests/docs/test_code_blocks.py::test_the_python_of_a_page_runs_from_top_to_bottom"
    "[docs/how-to/run-a-fleet.md]"
)
FOLLOWERS = {"importlib-metadata", "opentelemetry-sdk", "opentelemetry-semantic-conventions"}
"""What has to be as old as OpenTelemetry's API is."""
PASSED: set[str] = set()
NEXT = """
All of it holds. Try next:
  nox -s tests -- -k ledger     some tests, in the environment that is there now
  nox -s long                   the tests that take many seconds each
  nox -s bench                  measure, side by side with other clients
  nox -s everywhere             the tests on every Python that you have
  nox -s latest                 the tests with the newest of all that they need
  docs/_build/html/index.html   the documentation that was just built
  CONTRIBUTING.md               where things are, and how to add to them"""


AFTER = """
dist/ is ready, and nothing was sent anywhere. What is left is yours:
  1. git tag --sign v{version} && git push origin v{version}
  2. twine upload dist/*.tar.gz dist/*.whl
  3. publish the release of that tag, with SHA256SUMS and the inventory (.cdx.json) beside it"""


def check(session: Callable[[nox.Session], None]) -> Callable[[nox.Session], None]:
    """Make a session of those that run unless told; behind the last, say what to try next."""

    @functools.wraps(session)
    def run(status: nox.Session) -> None:
        session(status)
        PASSED.add(session.__name__)
        if set(nox.options.sessions or ()) == PASSED:
            atexit.register(print, NEXT)  # behind nox's own summary

    nox.session(run)
    return run


def tools(session: nox.Session, *groups: str) -> None:
    """Install dependency groups, in the versions of the lock."""
    session.install(*nox.project.dependency_groups(PYPROJECT, *groups), env=LOCKED)


def install(session: nox.Session, *groups: str) -> None:
    """Install dependency groups and the package with its extras, in the versions of the lock."""
    session.install(*wanted(*groups), env=LOCKED)


def wanted(*groups: str, extras: str = ",".join(EXTRAS)) -> list[str]:
    """Give what pip is told for dependency groups and the package with its extras."""
    return [*nox.project.dependency_groups(PYPROJECT, *groups), "-e", f".[{extras}]"]


@check
def lint(session: nox.Session) -> None:
    """Format, style and spelling."""
    tools(session, "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("codespell")
    session.run("yamllint", "--strict", ".github", "deploy")
    session.run("hadolint", "deploy/docker/Dockerfile")
    compose = ("--builtin-schema", "vendor.compose-spec", "deploy/docker/compose.yml")
    session.run("check-jsonschema", *compose)
    session.run("kubernetes-validate", "--strict", "deploy/kubernetes/cronjob.yaml", silent=True)
    session.run("zizmor", "--offline", "--quiet", ".github")


@check
def types(session: nox.Session) -> None:
    """Check types: the package, this file, and the public face as its users see it."""
    install(session, "types", "checkers")
    session.run(
        "mypy",
        "--num-workers",
        "2",
        "binance_dust",
        "tests",
        "noxfile.py",
        "hatch_build.py",
        "docs",
    )
    session.run("python", "-m", "tests.typing.check")


@check
def layers(session: nox.Session) -> None:
    """Hold that imports only go down, and that the sandbox never imports what it checks."""
    install(session, "layers")
    session.run("lint-imports")


@check
def tests(session: nox.Session) -> None:
    """Run the tests but for the long ones, warnings being errors."""
    install(session, "testing", "peers")
    session.run("python", "-m", "tests.release.lock")
    session.run("pytest", *SIDE_BY_SIDE, "-m", "not long", *session.posargs)


@check
def importers(session: nox.Session) -> None:
    """Let BittyTax, Beancount and (where it is installed) hledger read what the ledger exports."""
    install(session, "testing", "importers")
    session.run("pytest", "tests/ledger/test_importers.py", *session.posargs)


@nox.session(default=False)
def long(session: nox.Session) -> None:
    """Run the tests that take many seconds each: days of scanning, soaks, every measurement."""
    install(session, "testing", "peers")
    session.run("pytest", *SIDE_BY_SIDE, "-m", "long", *session.posargs, env=DEV_MODE)


@nox.session(python=PYTHONS, default=False)
def everywhere(session: nox.Session) -> None:
    """Run the tests on every Python that the package supports and this machine has."""
    install(session, "testing", "peers")
    session.run("pytest", *SIDE_BY_SIDE, *session.posargs)


@nox.session(default=False, reuse_venv=False)
def latest(session: nox.Session) -> None:
    """Run the tests with the newest of all that they need, whatever the lock says.

    Here a dependency that uses what will go is an error, too.
    """
    session.install(*wanted("testing", "peers"))
    options = ("-W", "error", *SIDE_BY_SIDE)
    session.run("pytest", *options, *session.posargs, env={"PYTHONDEVMODE": "1"})


@nox.session(python=PYTHONS[0], default=False)
@nox.parametrize("extras", ["cli,keys,metrics,otel,redis", "cli,metrics,fleet"])
def lowest(session: nox.Session, extras: str) -> None:
    """Run the tests with the lowest versions that the package says it works with.

    Twice, since the fleet's engine asks for more of Redis than a shared budget does. Without the
    peers, which ask for more than we do.
    """
    bounds = Path(session.create_tmp(), "lowest.txt")
    bounds.write_text("\n".join(lowest_constraints(extras)), encoding="utf-8")
    what = wanted("testing", extras=extras)
    session.install("--constraint", str(bounds), *what, env=LOCKED_BUILDS)
    left_out = [f"--ignore={path}" for path in (*PEERS, *FLEETS)] + [f"--deselect={FLEETS_PAGE}"]
    chosen = [*FLEETS, FLEETS_PAGE] if "fleet" in extras else left_out
    session.run("pytest", *SIDE_BY_SIDE, *chosen, *session.posargs)


def lowest_constraints(extras: str) -> Iterator[str]:
    """Give the lowest versions of what the package needs, and for the rest those of the lock."""
    bounds = [*lower_bounds(extras)]
    yield from bounds
    apart = {Requirement(line).name for line in bounds} | FOLLOWERS
    for line in Path(LOCK).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") and Requirement(line).name not in apart:
            yield line


def lower_bounds(extras: str) -> Iterator[str]:
    """Give the lowest version of each dependency that the package and these extras allow."""
    project = PYPROJECT["project"]
    optional = project["optional-dependencies"]
    lines = [
        *project["dependencies"],
        *(line for each in extras.split(",") for line in optional[each]),
    ]
    for requirement in map(Requirement, lines):
        (least,) = (part.version for part in requirement.specifier if part.operator == ">=")
        yield f"{requirement.name}=={least}"


@check
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors, and look at it in a browser, if there is one.

    Its code blocks are run by the tests. All pages are written each time, since the search's index
    has the entries of no others.
    """
    install(session, "docs", "testing")
    site = "docs/_build/html"
    session.run("sphinx-build", "-W", "-n", "-a", "-q", "-j", "2", "docs", site)
    session.run("pytest", "tests/docs/test_site.py", *session.posargs, env={"BUILT_SITE": site})


@check
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel twice, look inside, install both with what they declare, use them."""
    tools(session, "wheel")
    with tempfile.TemporaryDirectory() as away:
        sdist, wheel = build(session, Path(away, "dist"))
        type_first_command(session, Path(away, "from_sdist"), sdist)
        tour(session, Path(away, "from_wheel"), wheel, "core", *EXTRAS)


def build(session: nox.Session, into: Path) -> list[Path]:
    """Build the sdist, and the wheel from it; the same bytes each time, and nothing else inside."""
    session.run("python", "-m", "tests.release.build", str(into))
    session.run("python", "-m", "tests.release.archives", str(into))
    return [*into.glob("*.tar.gz"), *into.glob("*.whl")]


def unpack(sdist: Path, into: Path) -> Path:
    """Unpack an sdist, and give the one folder in it."""
    with tarfile.open(sdist) as archive:
        # Debian 12's Python 3.11.2 has no filters yet, and ignores this.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(into)  # noqa: S202 - our own archive, and filtered where that can be
    (folder,) = into.iterdir()
    return folder


def type_first_command(session: nox.Session, folder: Path, sdist: Path) -> None:
    """Type README's first command, word for word, in what the sdist holds."""
    source = unpack(sdist, folder)
    command = (source / "README.md").read_text("utf-8").split("```sh\n")[1].split("\n```")[0]
    with session.chdir(source):
        # What the demo leaves goes with the folder.
        session.run("sh", "-c", command, env=LOCKED | {"TMPDIR": str(folder)}, external=True)


def empty(session: nox.Session, folder: Path) -> tuple[str, ...]:
    """Make an environment without anything, and give the command that installs into it."""
    session.run("python", "-m", "venv", "--without-pip", str(folder), silent=True)
    if session.venv_backend == "uv":  # its environments have no pip
        return ("uv", "pip", "install", "--quiet", "--python", str(folder))
    pip = ("python", "-m", "pip", "--disable-pip-version-check", "--python", str(folder))
    return (*pip, "install", "--quiet", "--no-compile")


def tour(session: nox.Session, folder: Path, archive: Path, *parts: str) -> None:
    """Install an archive into an empty environment, extra by extra, and use each as it comes."""
    pip = empty(session, folder)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    guide = Path("tests/release/tour.py").absolute()
    for part in parts:
        what = str(archive) if part == "core" else f"{archive}[{part}]"
        session.run(*pip, what, env=LOCKED)
        with session.chdir(folder):
            # What the demo leaves goes with the environment.
            here = {"TMPDIR": str(folder), "PYTHONPATH": None}
            session.run(python, "-I", str(guide), part, env=here, external=True)


@nox.session(default=False)
def frames(session: nox.Session) -> None:
    """Hold that pandas and polars take our rows: 250 MB that no other test needs."""
    install(session, "testing", "frames")
    session.run("pytest", "tests/test_frames.py", *session.posargs)


@nox.session(default=False)
def smoke(session: nox.Session) -> None:
    """Run the demo and some tests, which are to pass on any system."""
    install(session, "testing")
    session.run("binance-dust", "demo")
    session.run("pytest", "--quiet", *SMOKE, *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure, side by side with others in one run; prints, and never fails for a figure."""
    install(session, "types", "peers")
    session.run("python", "-m", "tests.bench.run", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Judge the tests: small faults in a module (name it), and a test has to fail for each."""
    install(session, "testing")
    session.run("python", "-m", "tests.mutants.run", *session.posargs)


@nox.session(default=False)
def completeness(session: nox.Session) -> None:
    """Hold that every public thing says its types, also to a checker that infers nothing."""
    tools(session, "completeness")
    session.install(f".[{','.join(EXTRAS)}]", env=LOCKED)
    # Elsewhere: what is installed is looked at, and not this folder.
    with tempfile.TemporaryDirectory() as away, session.chdir(away):
        session.run("basedpyright", "--verifytypes", "binance_dust", "--ignoreexternal")


@nox.session(default=False)
def proof(session: nox.Session) -> None:
    """Fuzz, soak and break lines at length; the tests have short forms of all of it."""
    install(session, "testing")
    session.run("python", "-m", "tests.proof.run", *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Renew the lock: `-- --upgrade` for all, `-- --upgrade-package NAME` for one.

    Without options it keeps what is there, adds what is missing, and drops what is not needed.
    Its own tool is the newest one: the lock can't hold what the lock is made by.
    """
    session.install(*nox.project.dependency_groups(PYPROJECT, "lock"))
    groups = (f"--group={name}" for name in PYPROJECT["dependency-groups"])
    options = ("--universal", f"--python-version={PYTHONS[0]}", "--all-extras", "--no-annotate")
    command = ("python", "-m", "uv", "pip", "compile", "--quiet", *options, *groups)
    told = {"UV_CUSTOM_COMPILE_COMMAND": "nox -s lock", "UV_CONSTRAINT": None}
    session.run(*command, f"--output-file={LOCK}", "pyproject.toml", *session.posargs, env=told)


@nox.session(default=False)
def changelog(session: nox.Session) -> None:
    """Gather `changes/` into the changelog, under the version that the package has now."""
    version = runpy.run_path("binance_dust/_version.py")["__version__"]
    written = f"\n## {version}, " in Path("CHANGELOG.md").read_text(encoding="utf-8")
    if written and "--draft" not in session.posargs:
        session.error(f"the changelog has a section for {version} already: finish it by hand")
    tools(session, "changelog")
    session.run("towncrier", "build", "--version", version, *session.posargs)


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Ask the advisories about every package of the lock; one that can't be asked about fails."""
    tools(session, "audit")
    session.run("pip-audit", "--strict", "--no-deps", "--disable-pip", "--requirement", LOCK)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Make what is published, into `dist/`, and say what to do with it. Nothing is uploaded."""
    install(session, "release", "testing", "peers")
    session.run("python", "-m", "tests.release.state")
    dist = Path("dist").absolute()
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as away:
        sdist, wheel = build(session, dist)
        session.run("twine", "check", "--strict", str(sdist), str(wheel))
        try_out(session, Path(away), sdist, wheel)
        parts = Path(away, "parts")
        session.run(*empty(session, parts), f"{wheel}[{','.join(EXTRAS)}]", env=LOCKED)
        session.run("python", "-m", "tests.release.inventory", str(dist), str(parts))
    session.log(AFTER.format(version=wheel.name.split("-")[1]))


def try_out(session: nox.Session, away: Path, sdist: Path, wheel: Path) -> None:
    """Run the tests that the sdist holds on the package that the wheel holds."""
    session.install("--force-reinstall", "--no-deps", str(wheel))
    source = unpack(sdist, Path(away, "from_sdist"))
    shutil.rmtree(source / "binance_dust")
    with session.chdir(source):
        session.run("pytest", *SIDE_BY_SIDE, *session.posargs)
