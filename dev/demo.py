"""The main job, shown: Add, Preview and Remove of small media files, on a simulated iconik."""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from b2_iconik.common.version import VERSION  # noqa: E402 - from the checkout
from b2_iconik.domain.click import CLICKED_ACTIONS, TITLES, Action  # noqa: E402 - from the checkout
from b2_iconik.domain.outcomes import many  # noqa: E402 - from the checkout
from dev.harness import (  # noqa: E402 - from the checkout
    SECRET,
    Service,
    Simulator,
    clean_up,
    files,
    interrupt,
)

LONGEST = 60.0
EDITED = "Interview Ben"
DELETED = "Harbour"
RENDERED = "Rough cut"


class Wrong(Exception):
    """A result is not as expected; the demonstration fails."""


class Demonstration:
    """The simulator, the service, and a small media library."""

    def __init__(self, directory: Path) -> None:
        self._simulator = Simulator(directory, "--copy-seconds", "0.5", "--copies-at-once", "3")
        self._service = Service(directory, self._simulator, environment={"PURGE": "now"})
        self._assets: dict[str, str] = {}
        self._collection = ""

    def set_up(self) -> None:
        """Create the custom actions, and fill the bucket."""
        chapter(
            "Set-up",
            "The real script creates the custom actions that people right-click in iconik:",
        )
        program = "create_custom_actions.py"
        self._run(f"python {program}", program, *self._script_arguments(), "--preview")
        self._fill()
        print(
            "\nThe collection 'Summer campaign', with collections inside it, holds 8 assets. "
            "Their masters\nand proxies are in the B2 bucket; one, a rough cut, was rendered "
            "straight to LucidLink."
        )
        self.show_files()

    def add(self) -> None:
        """Click Add on the collection, and follow the operation."""
        chapter(
            "Add to LucidLink",
            "Somebody right-clicks the collection 'Summer campaign' and picks Add to LucidLink:",
        )
        report = self._click("add")
        self.show_files()
        counts = report["counts"]
        expect(counts["copied"] == 12, "Add did not copy the 12 files that were missing")
        expect(counts["there"] == 1, "Add did not find the rough cut on LucidLink already")
        expect(counts["without"] == 3, "Add did not count the formats that assets lack")
        expect(not report["problems"], "Add met problems")

    def remove(self) -> None:
        """Endanger two files, click Remove on the collection, and follow the operation."""
        chapter(
            "An edit",
            f"An editor changes the file of '{EDITED}' in place, on LucidLink. The copy in B2 is "
            "now\nout of date, so deleting the file on LucidLink would lose the edit.",
        )
        self._edit()
        chapter(
            "A deletion in the bucket",
            f"Somebody deletes the master of '{DELETED}' directly in the B2 bucket. iconik does "
            "not notice:\nits record still says that the file is there. The file on LucidLink is "
            "the only one left.",
        )
        self._delete_from_bucket()
        self._preview()
        chapter(
            "Remove from LucidLink",
            "Somebody right-clicks the same collection and picks Remove from LucidLink. Before the "
            "plugin\ndeletes a file, iconik's records must match, and B2 must confirm that it has "
            "the object.\nThe rough cut is not in B2 yet, so the plugin copies it there first:",
        )
        report = self._click("remove")
        self.show_files()
        counts, problems = report["counts"], report["problems"]
        expect(counts["removed"] == 11, "Remove did not remove the 11 formats that are safe")
        kept = {each["asset_id"]: each["reason"] for each in problems if each["kind"] == "kept"}
        expect(
            len(problems) == 2 and set(kept) == {self._assets[EDITED], self._assets[DELETED]},
            "Remove did not keep the edited file and the one missing from the bucket, and only "
            "those",
        )
        expect(
            "harbour.mov is gone from B2" in kept[self._assets[DELETED]],
            "the report does not say that B2 lacks harbour.mov",
        )
        left = [path.name for path in files(self._simulator.lucidlink)]
        expect(left == ["harbour.mov", "interview_ben.mov"], f"on LucidLink are {left}")
        expect(
            any(path.name == "rough_cut.mov" for path in files(self._simulator.b2)),
            "the rough cut did not get to B2",
        )
        self._show_proofs(report)

    def _preview(self) -> None:
        """Click Preview on the collection."""
        before = files(self._simulator.lucidlink)
        chapter(
            TITLES["preview"],
            "What would a Remove do now? A preview makes the same checks, and changes nothing:",
        )
        report = self._click("preview")
        counts = report["counts"]
        found = (counts["removable"], counts["uncopied"], counts["kept"])
        expect(found == (10, 1, 2), f"the preview found {found}")
        expect(files(self._simulator.lucidlink) == before, "the preview changed LucidLink")

    def purge_later(self) -> None:
        """Restart the plugin with PURGE=later."""
        self._service.restart(PURGE="later")

    def show_commands(self) -> None:
        """Print commands to try by hand."""
        purge = self._service.environment["PURGE"]
        chapter(
            "Both are running",
            "Try it yourself; Ctrl-C ends both. Files, database and logs are in\n"
            f"{self._simulator.b2.parent}\n"
            + (
                "The plugin now runs with PURGE=later: a Remove can be undone."
                if purge == "later"
                else "To undo a Remove, start this again with --purge-later."
            ),
        )
        print(
            f"The operations page is {self._service.url}/operations\n"
            f"Log in with any name, and the password {SECRET}\n"
        )
        query = (
            f"b2_storage_id={self._simulator.b2_storage_id}"
            f"&ll_storage_id={self._simulator.ll_storage_id}"
        )
        body = (
            f'{{"context": "COLLECTION", "collection_ids": ["{self._collection}"], '
            f'"auth_token": "{self._simulator.token}"}}'
        )
        print(f"curl {self._service.url}/")
        clicks = [(each, "") for each in CLICKED_ACTIONS]
        for action, more in [*clicks, ("add", "&keep=1m")]:
            print(
                f"curl -X POST '{self._service.url}/{action}?{query}{more}' \\\n"
                f"     -H 'x-bz-secret: {SECRET}' -d '{body}'"
            )
        settings = " ".join(f"{name}={value}" for name, value in self._service.environment.items())
        print(
            f"find {self._simulator.lucidlink} -type f\n"
            f"curl {self._simulator.url}/_simulator/\n"
            f"export {settings}\n"
            "script/operations list"
        )

    def show_files(self) -> None:
        """Print which files are on which storage, and their sizes."""
        sides = {
            side: {str(path.relative_to(root)): path.stat().st_size for path in files(root)}
            for side, root in (("B2", self._simulator.b2), ("LucidLink", self._simulator.lucidlink))
        }
        names = sorted(set(sides["B2"]) | set(sides["LucidLink"]))
        width = max(map(len, names))
        print(f"\n  {'file':<{width}}  {'B2':>12}  {'LucidLink':>12}")
        for name in names:
            sizes = [
                f"{sides[side][name]:,} bytes" if name in sides[side] else "-" for side in sides
            ]
            print(f"  {name:<{width}}  {sizes[0]:>12}  {sizes[1]:>12}")

    def _click(self, action: Action) -> dict[str, Any]:
        answer = self._simulator.control(
            "POST",
            "click",
            {
                "title": TITLES[action],
                "context": "COLLECTION",
                "collection_ids": [self._collection],
            },
        )
        print(
            f"\n  iconik posts the custom action; the answer: {answer['status']} {answer['body']}"
        )
        expect(answer["status"] == 200, "the click was not accepted")
        operation_id = answer["body"]["operation_id"]
        started, shown = time.monotonic(), ""
        # The report is complete when its counts are.
        while self._service.operation(operation_id).counts is None:
            expect(time.monotonic() - started < LONGEST, "the operation did not end")
            states = self._service.progress(operation_id)
            now = f"{states.get('done', 0)} of {sum(states.values())} assets done"
            now += f", {states['copying']} being copied" if states.get("copying") else ""
            now += f"; {many(len(files(self._simulator.lucidlink)), 'file')} on LucidLink"
            if states and now != shown:
                print(f"  {time.monotonic() - started:4.1f} s  {now}", flush=True)
                shown = now
            time.sleep(0.1)
        self._run("script/operations", "show_operations.py", "show", operation_id[:8])
        return self._service.report(operation_id)

    def _run(self, name: str, program: str, *arguments: str) -> None:
        """Run a command of the plugin, and show what a person would type."""
        print(f"\n$ {name} {' '.join(arguments)}", flush=True)
        done = subprocess.run(
            [sys.executable, program, *arguments],
            cwd=ROOT,
            env={**self._service.environment, "PYTHONPATH": ""},
            check=False,
        )
        expect(done.returncode == 0, f"{name} failed")

    def _edit(self) -> None:
        content = "graded, and cut shorter " * 700
        self._simulator.edit_on_lucidlink(self._assets[EDITED], content)
        self.show_files()

    def _delete_from_bucket(self) -> None:
        simulator = self._simulator
        master = simulator.original(self._assets[DELETED], simulator.b2_storage_id)
        simulator.control("POST", "buckets/objects", {"file_id": master, "do": "remove"})
        self.show_files()

    def _show_proofs(self, report: dict[str, Any]) -> None:
        """Print what proved the removed files, and what the simulator recorded."""
        counts = report["counts"]
        expect(
            counts["by_checksum"] + counts["by_size"] == counts["removed"],
            "the report does not say how each removed format was proven",
        )
        expect(counts["by_records"] == 0, "a format was removed without asking B2")
        asked = self._simulator.control("GET", "buckets/")["requests"].get("GET signed URL", 0)
        deletions = self._simulator.control("GET", "")["deletions"]
        expect(asked > 0, "the plugin did not ask the bucket")
        expect(deletions["unproven"] == 0, "the simulator saw an unproven deletion")
        print(
            f"\nOf the {counts['removed']} formats removed, {counts['by_checksum']} were proven by "
            f"checksum and {counts['by_size']} by size alone.\nThe plugin asked the bucket {asked} "
            "times, through iconik's signed URLs.\nThe simulator compared the bytes on both sides "
            f"at each of {deletions['checked']} deletion requests: nothing was lost."
        )

    def _fill(self) -> None:
        control = self._simulator.control

        def collection(title: str, parent: str | None = None) -> str:
            body = {"title": title, **({"parent_id": parent} if parent else {})}
            return str(control("POST", "collections", body)["id"])

        self._collection = collection("Summer campaign")
        day_1 = collection("Day 1", self._collection)
        day_2 = collection("Day 2", self._collection)
        drone = collection("Drone", day_2)

        def asset(title: str, collections: list[str], formats: dict[str, Any]) -> None:
            body = {"title": title, "collection_ids": collections, "formats": formats}
            self._assets[title] = control("POST", "assets", body)["id"]

        def media(directory: str, stem: str, size: int, proxy: bool = True) -> dict[str, Any]:
            formats = {"ORIGINAL": [{"directory": directory, "name": f"{stem}.mov", "size": size}]}
            if proxy:
                name = f"{stem}_proxy.mp4"
                formats["PPRO_PROXY"] = [{"directory": directory, "name": name, "size": size // 8}]
            return {name: {"b2": some} for name, some in formats.items()}

        asset("Interview Anna", [day_1], media("day1", "interview_anna", 24_000))
        asset(EDITED, [day_1], media("day1", "interview_ben", 18_000))
        asset("Harbour", [day_1], media("day1", "harbour", 32_000, proxy=False))
        asset("Market", [day_2], media("day2", "market", 28_000))
        asset("Drone coast", [drone], media("day2/drone", "coast", 40_000))
        asset("Drone pier", [drone, day_1], media("day2/drone", "pier", 36_000))
        frames = [
            {"directory": "day2/clouds", "name": f"clouds_{n:04}.dpx", "size": 8_000}
            for n in range(1, 4)
        ]
        asset("Clouds, three frames", [day_2], {"ORIGINAL": {"b2": frames}})
        cut = [{"directory": "edit", "name": "rough_cut.mov", "size": 20_000}]
        asset(RENDERED, [self._collection], {"ORIGINAL": {"lucidlink": cut}})

    def _script_arguments(self) -> list[str]:
        return [
            "--endpoint", self._service.url,
            "--b2_storage_id", self._simulator.b2_storage_id,
            "--ll_storage_id", self._simulator.ll_storage_id,
        ]  # fmt: skip


def chapter(title: str, text: str) -> None:
    """Print a heading and a text."""
    print(f"\n\n{title}\n{'=' * len(title)}\n{text}", flush=True)


def expect(condition: bool, otherwise: str) -> None:
    """Fail unless a condition holds."""
    if not condition:
        raise Wrong(otherwise)


def main() -> int:
    """Run the demonstration. The exit status is 0 only if every result is as expected."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--serve", action="store_true", help="leave both running until Ctrl-C")
    parser.add_argument(
        "--purge-later",
        action="store_true",
        help="the same, with PURGE=later, so that a Remove can be undone",
    )
    options = parser.parse_args()
    is_served = options.serve or options.purge_later
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, interrupt)
    directory = Path(tempfile.mkdtemp(prefix="b2-iconik-demo-"))
    try:
        chapter(
            "The B2 storage plugin for iconik",
            "A simulated iconik and the plugin, under Gunicorn, are started on this machine.",
        )
        demonstration = Demonstration(directory)
        demonstration.set_up()
        demonstration.add()
        demonstration.remove()
        if options.purge_later:
            demonstration.purge_later()
        if is_served:
            demonstration.show_commands()
            sys.stdout.flush()
            signal.pause()
        print("\nAll is as it should be.")
        return 0
    except Wrong as problem:
        print(f"\nThis is not as it should be: {problem}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; cleaning up.", file=sys.stderr)
        return 0 if is_served else 130
    finally:
        clean_up()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
