"""Every check, each in an environment of its own: `python3 -m pip install nox && nox`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "layers", "tests", "docs", "wheel"]
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
SIDE_BY_SIDE = ("--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal")


def install(session: nox.Session, *groups: str, extras: str = "cli,fleet,keys,otel,redis") -> None:
    """Install dependency groups and the package with its extras, as users have it."""
    session.install(*nox.project.dependency_groups(PYPROJECT, *groups), "-e", f".[{extras}]")


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style and spelling."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("codespell")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: the package, this file, and the public face as its users see it."""
    install(session, "types")
    session.run("mypy")
    session.run("mypy", "tests", "noxfile.py", "docs")


@nox.session
def layers(session: nox.Session) -> None:
    """Hold that imports only go down, and that the sandbox never imports what it checks."""
    install(session, "layers")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, warnings being errors."""
    install(session, "testing", "peers")
    session.run("pytest", *SIDE_BY_SIDE, *session.posargs, env={"PYTHONDEVMODE": "1"})


@nox.session(python=PYTHONS, default=False)
def everywhere(session: nox.Session) -> None:
    """Run the tests on every Python that the package supports and this machine has."""
    install(session, "testing", "peers")
    session.run("pytest", *SIDE_BY_SIDE, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors. Its code blocks are run by the tests."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "-n", "-q", "docs", "docs/_build/html")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it with nothing but what it declares, and use it from elsewhere."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "wheel"))
    with tempfile.TemporaryDirectory() as away:
        session.run("python", "-m", "build", "--quiet", "--outdir", away, ".")
        (built,) = Path(away).glob("*.whl")
        session.run("python", "-m", "venv", f"{away}/empty", silent=True)
        python = f"{away}/empty/{'Scripts' if os.name == 'nt' else 'bin'}/python"
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        session.run(*pip, str(built), external=True)
        session.chdir(away)
        tour = (
            "import binance_dust, binance_dust.page as page; print(binance_dust.Session());"
            " page.write_page('report.html', [])"
        )
        session.run(python, "-c", tour, external=True)
        session.run(*pip, f"{built}[cli]", external=True)
        session.run(python, "-m", "binance_dust", "demo", external=True)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure, side by side with others in one run; prints, and never fails for a figure."""
    install(session, "testing", "peers")
    session.run("python", "-m", "tests.bench.run", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Judge the tests: small faults in a module (name it), and a test has to fail for each."""
    install(session, "testing")
    session.run("python", "-m", "tests.mutants.run", *session.posargs)


@nox.session(default=False)
def proof(session: nox.Session) -> None:
    """Fuzz, soak and break lines at length; the tests have short forms of all of it."""
    install(session, "testing")
    session.run("python", "-m", "tests.proof.run", *session.posargs)
