"""script/environment, operations and server: what a service runs on is not lost or changed."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2_iconik.common import settings
from b2_iconik.common.errors import SettingsError
from dev.harness import ROOT, Process, stop_all, wait_for
from tests.install.pips import build_wheel, own_pip, python_with, sha256_of

# Of nothing that must be fetched, so that no network is needed.
EMPTY = "# nothing\n"
HASH = "--hash=sha256:" + "0" * 64
# Nobody listens at port 1.
UNREACHABLE = f"some @ http://127.0.0.1:1/some-1-py3-none-any.whl {HASH}\n"


class Checkout:
    """A checkout with the scripts alone, whose environment has no packages.

    Args:
        root: an empty directory.
        python: the Python that environments are made from.
    """

    def __init__(self, root: Path, python: Path) -> None:
        self.root = root
        self.python = python
        self.venv = root / ".venv"
        (root / "script").mkdir()
        for name in ("environment", "operations"):
            shutil.copy(ROOT / "script" / name, root / "script")
        (root / "show_operations.py").write_text(
            "import os, sys; print(sys.prefix, os.getcwd(), sys.argv[1:])\n"
        )
        self.require(EMPTY)

    def require(self, requirements: str) -> None:
        """Change what an environment is to have."""
        (self.root / "requirements.txt").write_text(requirements)

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script from another directory; pip tries nothing twice."""
        return subprocess.run(
            [str(self.root / command[0]), *command[1:]],
            cwd="/",
            env={**os.environ, "PIP_RETRIES": "0", "PYTHON": str(self.python), **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    @property
    def mark(self) -> Path:
        """A file in the environment, which is gone when it is made anew."""
        return self.venv / "mark"

    def is_as_it_was(self) -> bool:
        """Whether the marked environment is in its place, works, and has left nothing beside it."""
        done = subprocess.run([self.venv / "bin" / "python", "-c", ""], check=False)
        return self.mark.exists() and done.returncode == 0 and not self.beside()

    def beside(self) -> list[Path]:
        """What lies beside the environment."""
        return list(self.root.glob(".venv?*"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with an environment."""
    python = python_with(own_pip(), tmp_path_factory.mktemp("python") / "python")
    checkout = Checkout(tmp_path_factory.mktemp("checkout"), python)
    done = checkout.run("script/environment")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{checkout.venv}\n"
    return checkout


@pytest.fixture
def checkout(made: Checkout) -> Iterator[Checkout]:
    """The same, its environment marked; whichever there is afterwards is the next test's."""
    made.require(EMPTY)
    made.mark.touch()
    yield made
    stop_all()
    made.require(EMPTY)
    assert made.run("script/environment").returncode == 0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who lets pip wait for an answer."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def begun(checkout: Checkout, listener: socket.socket) -> Process:
    """A script/environment that is waiting for a package, the one before out of its way."""
    checkout.require(UNREACHABLE.replace(":1/", f":{listener.getsockname()[1]}/"))
    variables = {"PYTHON": str(checkout.python), "no_proxy": "*"}
    process = Process(
        [str(checkout.root / "script/environment")], variables, checkout.root / "made.log"
    )
    # Its connection is made, and never answered.
    assert select.select([listener], [], [], 60)[0]
    assert not checkout.mark.exists()
    return process


def another_python(checkout: Checkout, directory: Path) -> Path:
    """The same Python from another place."""
    (directory / "bin").mkdir()
    (directory / "lib").symlink_to(checkout.python.parents[1] / "lib")
    shutil.copy(checkout.python, directory / "bin")
    (directory / "bin" / "python3").symlink_to(checkout.python.name)
    return directory / "bin" / "python3"


def test_one_that_is_there_is_not_made_anew(checkout: Checkout) -> None:
    assert checkout.run("script/environment").returncode == 0
    assert checkout.is_as_it_was()


def test_other_requirements_make_it_anew(checkout: Checkout) -> None:
    checkout.require("# something else\n")
    assert checkout.run("script/environment").returncode == 0
    assert not checkout.mark.exists()
    assert checkout.beside() == []


def test_each_step_prints_one_line_with_its_duration(checkout: Checkout) -> None:
    checkout.require("# something else\n")
    assert re.fullmatch(
        r"Creating the Python environment \.venv \.\.\. \d+ s\n"
        r"Installing the packages in requirements\.txt \.\.\. \d+ s\n"
        r"Checking the installed packages \.\.\. \d+ s\n",
        checkout.run("script/environment").stderr,
    )


def test_an_environment_that_matches_prints_nothing(checkout: Checkout) -> None:
    assert checkout.run("script/environment").stderr == ""


def test_a_failed_step_prints_the_output_of_pip(checkout: Checkout) -> None:
    checkout.require("some\n")
    assert re.search(
        r"^Installing the packages in requirements\.txt \.\.\. failed\n(?:.*\n)*ERROR: .+\n",
        checkout.run("script/environment", PIP_NO_INDEX="1").stderr,
        re.MULTILINE,
    )


def test_packages_that_lack_a_requirement_are_refused(checkout: Checkout, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "some", "1", ["Requires-Dist: another"])
    checkout.require(f"some @ {wheel.as_uri()} --hash=sha256:{sha256_of(wheel)}\n")
    failed = checkout.run("script/environment")
    assert "some 1 requires another, which is not installed.\n" in failed.stderr
    assert checkout.is_as_it_was()


def test_one_that_can_not_be_made_leaves_the_one_before(checkout: Checkout) -> None:
    checkout.require(UNREACHABLE)
    failed = checkout.run("script/environment")
    assert failed.returncode != 0
    assert failed.stdout == ""
    assert "That failed. The previous environment was restored." in failed.stderr
    assert checkout.is_as_it_was()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_one_leaves_the_one_before(
    checkout: Checkout, listener: socket.socket, number: signal.Signals
) -> None:
    process = begun(checkout, listener)
    os.killpg(process.pid, number)
    assert process.exit_status() != 0
    assert checkout.is_as_it_was()


def test_after_a_power_cut_the_one_before_is_put_back(
    checkout: Checkout, listener: socket.socket
) -> None:
    begun(checkout, listener).kill()
    assert checkout.beside()
    checkout.require(EMPTY)
    assert checkout.run("script/environment").returncode == 0
    assert checkout.is_as_it_was()


def test_while_one_is_made_others_wait_for_it(checkout: Checkout, listener: socket.socket) -> None:
    process = begun(checkout, listener)
    other = Process([str(checkout.root / "script/operations")], {}, checkout.root / "other.log")
    inode = checkout.root.stat().st_ino
    waiting = re.compile(rf"-> FLOCK .*:{inode} ")
    wait_for("wait", lambda: waiting.search(Path("/proc/locks").read_text()), 120)
    process.stop()
    assert other.exit_status() == 0
    assert other.output() == f"{checkout.venv} {checkout.root} []\n"
    assert checkout.is_as_it_was()


def test_it_keeps_its_python_whichever_is_the_first_on_the_path(
    checkout: Checkout, tmp_path: Path
) -> None:
    path = f"{another_python(checkout, tmp_path).parent}:{os.environ['PATH']}"
    assert checkout.run("script/environment", PATH=path, PYTHON="").returncode == 0
    assert checkout.is_as_it_was()


def test_another_python_that_is_named_is_taken_though_its_version_is_the_same(
    checkout: Checkout, tmp_path: Path
) -> None:
    another = str(another_python(checkout, tmp_path))
    assert checkout.run("script/environment", PYTHON=another).returncode == 0
    assert not checkout.mark.exists()
    assert str((checkout.venv / "bin" / "python").resolve()).startswith(str(tmp_path))


def test_operations_run_from_anywhere_in_the_checkout(checkout: Checkout) -> None:
    shown = checkout.run("script/operations", "list", "--json")
    assert shown.stdout == f"{checkout.venv} {checkout.root} ['list', '--json']\n"


def test_to_show_operations_leaves_the_environment_as_it_is(checkout: Checkout) -> None:
    checkout.require(UNREACHABLE)
    assert checkout.run("script/operations", PYTHON="/nowhere/python").returncode == 0
    assert checkout.is_as_it_was()


def test_operations_have_one_made_where_none_works(checkout: Checkout) -> None:
    (checkout.venv / "bin" / "python").unlink()
    assert checkout.run("script/operations").returncode == 0
    assert not checkout.mark.exists()


# script/server, where there is no environment yet

ID = "ICONIK_ID=a99a99a9-0000-4000-8000-000000000003"
SECRET = f"BZ_SHARED_SECRET={'s' * 16}"


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A checkout without an environment, where making one only says so, and fails."""
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script" / "server", tmp_path / "script")
    environment = tmp_path / "script" / "environment"
    environment.write_text("#!/bin/sh\necho made >&2\nexit 9\n")
    environment.chmod(0o755)
    return tmp_path


def start(fresh: Path, *arguments: str, **variables: str) -> str:
    """Start the server; returns what it says on stderr, in a single line."""
    required = ("ICONIK_ID", "BZ_SHARED_SECRET")
    given = {name: value for name, value in os.environ.items() if name not in required}
    done = subprocess.run(
        [str(fresh / "script" / "server"), *arguments],
        env={**given, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == (9 if done.stderr == "made\n" else 1)
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("env_file", "told"),
    [
        (None, "ICONIK_ID is not set: it must be the id of your application in iconik"),
        ("ICONIK_ID=\n", "ICONIK_ID is not set: "),
        ("ICONIK_ID=''\n", "ICONIK_ID is not set: "),
        ("ICONIK_ID= # mine\n", "ICONIK_ID is not set: "),
        (f"#{ID}\n{SECRET}\n", "ICONIK_ID is not set: "),
        (f"ICONIK_ID=mine\n{SECRET}\n", "ICONIK_ID must be a UUID, the id of your application"),
        (f"{ID}\n", "BZ_SHARED_SECRET is not set: it must be a long random string"),
        (f"{ID}\nBZ_SHARED_SECRET=short\n", "BZ_SHARED_SECRET must have at least 16 characters"),
    ],
)
def test_a_missing_setting_is_refused_before_an_environment_is_made(
    fresh: Path, env_file: str | None, told: str
) -> None:
    if env_file is not None:
        (fresh / ".env").write_text(env_file)
    assert start(fresh, "-b", "localhost:8000").startswith(f"b2-iconik-plugin: {told}")


@pytest.mark.parametrize(
    "env_file",
    [
        f"{ID}\n{SECRET}\n",
        f"# mine\nexport {ID}\nexport {SECRET}",
        f"ICONIK_ID = '{ID[10:]}' # mine\n'BZ_SHARED_SECRET'=\"{'s' * 16}\"\n",
        f"ICONIK_ID=old\n{ID}\n{SECRET}\r\n",
    ],
)
def test_settings_are_read_from_the_file_in_any_syntax(fresh: Path, env_file: str) -> None:
    (fresh / ".env").write_text(env_file)
    assert start(fresh) == "made"


def test_settings_are_read_from_the_environment(fresh: Path) -> None:
    assert start(fresh, ICONIK_ID=ID[10:], BZ_SHARED_SECRET="s" * 16) == "made"


@pytest.mark.parametrize("option", ["--version", "-h", "--env=ICONIK_ID=x", "-c", "--chdir=/"])
def test_what_may_bring_its_own_settings_is_not_refused(fresh: Path, option: str) -> None:
    assert start(fresh, option) == "made"
    assert start(fresh, GUNICORN_CMD_ARGS=option) == "made"


def test_where_there_is_an_environment_the_service_itself_checks(fresh: Path) -> None:
    (fresh / ".venv").mkdir()
    assert start(fresh) == "made"


def test_the_shell_says_what_the_service_says() -> None:
    source = (ROOT / "script" / "server").read_text()
    said = re.findall(r'refuse "(.+?)"', source)
    assert len(said) == 4
    with pytest.raises(SettingsError) as missing:
        settings.load({}, Path("no.env"))
    assert str(missing.value) == said[0].replace("$example", "(see .env.example)")
