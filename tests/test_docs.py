"""The documentation: every command in it is run by a test, or said to need what no test has."""

import ast
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2_iconik.common import settings
from b2_iconik.ledger.migrations import VERSION
from dev.harness import ROOT

PRODUCT = ("*.py", "iconik_http/*.py", "b2_iconik/**/*.py")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^([ ]*)```sh\n(.*?)^\1```", re.MULTILINE | re.DOTALL)

ACCOUNT = "an account at iconik, and a server that it reaches"
CLOUD = "an account at Google Cloud"
NETWORK = "a Debian server on the network, as root"
MAC = "a Mac"
FILLED_IN = "tests/test_docs.py::test_the_example_of_settings_can_be_filled_in"
SERVER = "tests/install/test_first_click.py::test_the_server_of_the_readme_starts"
INSTALL = "tests/install/test_install.py::test_the_second_run_starts_it"
BY_HAND = "tests/install/test_by_hand.py::test_it_runs_and_scripts_look_where_it_does"
WALK = "tests/install/test_first_click.py::test_the_walk_without_iconik_ends_with_a_click"
BACKUP = "tests/install/test_install.py::test_a_backup_that_is_restored_has_what_was_under_way"
LIST = "tests/web/test_pages.py::test_the_list_is_the_same_as_json"
CI = ".ci/run"

# By how commands begin: the test that runs them, or `.ci/run`; else what they need that tests lack.
COMMANDS = {
    # README.md
    "script/demo": CI,
    "script/test": CI,
    "script/test --all": CI,
    "cp .env.example .env": FILLED_IN,
    "chmod 600 .env": FILLED_IN,
    "script/server -b localhost:8000": SERVER,
    ".venv/bin/python create_custom_actions.py": "tests/system/test_check_setup.py::",
    ".venv/bin/python check_setup.py": "tests/system/test_check_setup.py::",
    "script/operations list": WALK,
    "script/operations show": "tests/install/test_install.py::",
    # CONTRIBUTING.md
    "git clone": "this repository's address",
    "cd b2-iconik-plugin": "a clone",
    "script/soak --minutes 2": CI,
    "script/benchmark --quick": CI,
    # docs/safety.md
    "b2 key create": "an account at Backblaze",
    # docs/first-click.md, docs/troubleshooting.md
    "sudo git clone": NETWORK,
    "cd /opt/b2-iconik-plugin": INSTALL,
    "sudo script/install --nginx plugin.example.com": NETWORK,
    "sudo apt-get": NETWORK,
    "sudo certbot": NETWORK,
    "sudo nano .env": "a person who types",
    "sudo systemctl restart b2-iconik-plugin": WALK,
    "curl https://plugin.example.com/": NETWORK,
    "sudo .venv/bin/python check_setup.py --endpoint https://plugin.example.com": ACCOUNT,
    "sudo .venv/bin/python create_custom_actions.py --endpoint https://plugin.example.com": ACCOUNT,
    "sudo .venv/bin/python list_custom_actions.py --endpoint https://plugin.example.com": ACCOUNT,
    "sudo script/operations list": WALK,
    "sudo mkdir -p /etc/ssl/b2-iconik-plugin": WALK,
    "sudo openssl req": WALK,
    "sudo script/install --nginx localhost": WALK,
    "sudo sed -i -e": WALK,
    "echo ICONIK_URL=http://127.0.0.1:8800": WALK,
    "export REQUESTS_CA_BUNDLE": WALK,
    ".venv/bin/python -m simulator": WALK,
    "curl --silent": WALK,
    "sudo -E .venv/bin/python": WALK,
    "id=": WALK,
    "clip=": WALK,
    "asset=": WALK,
    "click=": WALK,
    "password=": WALK,
    "sudo grep BZ_SHARED_SECRET= .env": WALK,
    "sudo grep BZ_SHARED_SECRET= /opt/b2-iconik-plugin/.env": "tests/install/test_install.py::"
    "test_the_password_of_the_operations_page_is_shown_as_documented",
    "find /var/tmp/b2": WALK,
    "sudo journalctl -u b2-iconik-plugin": NETWORK,
    # docs/deployment.md
    "sudo useradd": BY_HAND,
    "sudo PYTHON=/usr/bin/python3 script/environment": BY_HAND,
    "sudo install -m 600 -o b2-iconik-plugin -g b2-iconik-plugin .env.example .env": BY_HAND,
    "echo DATABASE_URL=sqlite:////var/lib/b2-iconik-plugin/": BY_HAND,
    "sudo cp b2-iconik-plugin.service": BY_HAND,
    "sudo systemctl daemon-reload": BY_HAND,
    "sudo systemctl enable --now b2-iconik-plugin": BY_HAND,
    "systemctl status b2-iconik-plugin": BY_HAND,
    "sudo git pull": NETWORK,
    "sudo script/install --yes": INSTALL,
    "sudo curl --silent --unix-socket": "tests/install/test_install.py::test_only_nginx_may_speak",
    "sudo systemctl stop b2-iconik-plugin": BACKUP,
    "sudo systemctl start b2-iconik-plugin": BACKUP,
    'sudo sh -c "umask 077 && sqlite3': BACKUP,
    "sudo rm -f": BACKUP,
    "sudo install -m 600": BACKUP,
    "export DATABASE_URL=": "tests/postgres/test_backup.py::",
    "(umask 077 && pg_dump": "tests/postgres/test_backup.py::",
    "pg_restore": "tests/postgres/test_backup.py::",
    "script/environment": "tests/install/test_environment.py::",
    "docker": "a container engine",
    'echo "POSTGRES_PASSWORD=': "a container engine",
    "sudo install -d -m 700 -o YOUR_USER": MAC,
    "sudo cp deploy/b2-iconik-plugin.plist": MAC,
    "sudo launchctl": MAC,
    "gcloud": CLOUD,
    "openssl rand -hex 32 | tr": CLOUD,
    "curl --user me 'https://plugin.example.com/operations": LIST,
}


def commands_in(text: str) -> Iterator[str]:
    """The command lines of a page's blocks of shell, each on one line."""
    for block in BLOCK.finditer(text):
        for line in block[2].replace("\\\n", " ").splitlines():
            command = " ".join(line.split())
            if command and not command.startswith("#"):
                yield command


ALL = sorted({command for page in PAGES for command in commands_in(page.read_text())})


def known(command: str) -> str | None:
    """The longest known beginning of a command."""
    return max((each for each in COMMANDS if command.startswith(each)), key=len, default=None)


def test_every_command_is_run_or_said_to_need_something() -> None:
    unknown = [command for command in ALL if not known(command)]
    assert unknown == [], "add them to COMMANDS, with the tests that run them"
    assert set(COMMANDS) == {known(command) for command in ALL}, "these stand nowhere"


@pytest.mark.parametrize(
    "run", sorted({each for each in COMMANDS.values() if each.startswith(("tests/", ".ci/"))})
)
def test_what_is_said_to_run_commands_is_there(run: str) -> None:
    file, _, function = run.partition("::")
    text = (ROOT / file).read_text()
    assert f"def {function}" in text or not function
    if file == ".ci/run":
        mine = [command for command, each in COMMANDS.items() if each == run]
        assert [command for command in mine if f"\n{command}" not in text] == []


def test_what_the_walk_is_said_to_run_is_in_it() -> None:
    page = (ROOT / "docs" / "first-click.md").read_text()
    walked = set(commands_in(page.partition("\n## Without iconik\n")[2]))
    said = [each for each in ALL if COMMANDS[known(each) or ""] == WALK]
    assert [each for each in said if not {each, f"sudo {each}"} & walked] == []


# Where several scripts have options in common.
SHARED = ("b2_iconik/setup/command_line.py", "dev/soak.py", "dev/benchmark/__main__.py")


def test_every_script_in_a_command_is_there_and_takes_its_options() -> None:
    shared = "".join((ROOT / each).read_text() for each in SHARED)
    lacking = []
    for command in ALL:
        if "=" in command.split()[0]:
            continue
        for word in shlex.split(command.split("|")[0]):
            if re.fullmatch(r"script/\w+|\w+\.py", word):
                text = (ROOT / word).read_text() + shared
                options = re.findall(r"(?<= )--[a-z][a-z0-9_-]*", command)
                lacking += [(command, each) for each in options if each not in text]
    assert lacking == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"`((?:docs|deploy|script|tests|simulator)/[\w./-]+)`", page.read_text())
    assert [each for each in named if not (ROOT / each).exists()] == []


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links, as GitHub makes it."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_example_of_settings_can_be_filled_in(
    own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(ROOT / ".env.example", tmp_path)
    steps = list(commands_in((ROOT / "README.md").read_text()))[:10]
    for step in ("cp .env.example .env", "chmod 600 .env"):
        assert step in steps
        subprocess.run(shlex.split(step), check=True, cwd=tmp_path)
    file = tmp_path / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    for name, value in own_environment.items():
        monkeypatch.delenv(name)
        filled_in = re.sub(rf"^#?{name}=.*$", f"{name}={value}", file.read_text(), flags=re.M)
        file.write_text(filled_in)
    assert settings.load().iconik_token == own_environment["ICONIK_TOKEN"]


def test_the_example_of_settings_has_all_of_them() -> None:
    names = re.findall(r"^#?([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    table = re.findall(r"^\| `([A-Z0-9_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(table)


def test_the_walk_shows_the_schema_of_this_version() -> None:
    page = (ROOT / "docs" / "first-click.md").read_text()
    assert re.findall(r"this version's schema \((\d+)\)", page) == [str(VERSION)]


PACKAGES = [ROOT / "iconik_http", *(each.parent for each in ROOT.glob("b2_iconik/*/__init__.py"))]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_architecture_names_every_module_of_a_package(package: Path) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| `{package.name}`: "))
    modules = {each.stem for each in package.glob("*.py")} - {"__init__"}
    assert set(re.findall(r"`(\w+)`", row)) - {package.name} == modules


# docs/troubleshooting.md


def literals() -> str:
    """All that our modules may say, but for what they fill in."""
    found = []
    for module in sorted(path for each in PRODUCT for path in ROOT.glob(each)):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%\(?\w*\)?s", "\n", node.value))
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "SettingsError":
                # Its subject and its problem are one sentence.
                texts = [one for each in node.args for one in ast.walk(each)]
                said = [each.value for each in texts if isinstance(each, ast.Constant)]
                found.append(" ".join(map(str, said)).replace("  ", " "))
    return "\n".join(found)


def messages() -> Iterator[str]:
    """The messages in the tables for which something is to be done."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    for table in re.split(r"\n\n", text):
        if table.startswith(("| message |", "| reason |")):
            for row in table.splitlines()[2:]:
                yield row.strip("| ").split(" | ")[0]


def test_every_message_that_one_is_told_what_to_do_about_is_ours() -> None:
    said, told = literals(), list(messages())
    assert len(told) > 20
    strange = [
        (message, part)
        for message in told
        for part in (each.strip(" ,()") for each in message.split("…"))
        if part not in said
    ]
    assert strange == []
