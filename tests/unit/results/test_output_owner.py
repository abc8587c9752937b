"""Two job files never overwrite each other's output, and no job is locked out of its own."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import batch
from batch.errors import OutputOfAnotherJobError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Ended
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

OUTPUT = "out.jsonl"


def write_job(cli: Cli, server: ChatServer, name: str, prompt: str = "hello", output: str = OUTPUT) -> Path:
    path = cli.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"provider: autonomous\nmodel: llama\nbase_url: {server.url}\n"
        f"prompts: [{{id: a, prompt: {prompt} one}}, {{id: b, prompt: {prompt} two}}]\n"
        f"output: {{path: {output}}}\n"
    )
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def record(cli: Cli, output: str = OUTPUT) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cli.folder / f"{output}.job.json").read_bytes())
    return found


@pytest.fixture
def first(cli: Cli, server: ChatServer) -> Path:
    """A job file that has written the output."""
    path = write_job(cli, server, "first.yaml")
    assert cli("run", "first.yaml", "-q").code == 0
    assert record(cli)["real"] == str(path)
    return path


def is_refused(ended: Ended, theirs: Path) -> bool:
    return (
        ended.code == 2 and f"was written by another job file, {theirs}; name another output" in ended.stderr
    )


# Another job file


@pytest.mark.parametrize("command", ["run", "retry"])
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param([], id="its own output"),
        pytest.param(["-q"], id="quietly"),
        pytest.param(["--limit", "0"], id="nothing to send"),
        pytest.param(["--dry-run"], id="dry run"),
        pytest.param(["--prune"], id="prune"),
        pytest.param(["--set", "output.on_change=replace"], id="replace"),
        pytest.param(["-o", OUTPUT], id="named on the command line"),
        pytest.param(["-o", "./sub/../out.jsonl"], id="named in another way"),
    ],
)
def test_another_job_file_is_refused_and_touches_nothing(
    command: str, flags: list[str], cli: Cli, server: ChatServer, first: Path
) -> None:
    write_job(cli, server, "second.yaml", "goodbye")
    (cli.folder / "sub").mkdir()
    before, seen = tree(cli.folder), len(server.seen)
    ended = cli(command, "second.yaml", *flags)
    assert is_refused(ended, first)
    assert (tree(cli.folder), len(server.seen)) == (before, seen)
    assert cli("run", "first.yaml", "-q").code == 0


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_another_name_of_the_output_is_the_same_output(
    link: Callable[[Path, Path], None], cli: Cli, server: ChatServer, first: Path
) -> None:
    write_job(cli, server, "second.yaml", "goodbye", output="alias.jsonl")
    link(cli.folder / OUTPUT, cli.folder / "alias.jsonl")
    ended = cli("run", "second.yaml")
    if link is os.symlink:
        assert is_refused(ended, first)
    else:
        assert "has no record of the job that wrote it" in ended.stderr, "a hard link is a file of its own"


def test_of_several_jobs_all_are_refused_before_anything_is_sent(
    cli: Cli, server: ChatServer, first: Path
) -> None:
    write_job(cli, server, "third.yaml", output="third.jsonl")
    write_job(cli, server, "second.yaml", "goodbye")
    before, seen = tree(cli.folder), len(server.seen)
    assert is_refused(cli("run", "third.yaml", "second.yaml"), first)
    assert (tree(cli.folder), len(server.seen)) == (before, seen)


def test_a_jsonl_job_is_refused_as_well(cli: Cli, server: ChatServer, first: Path) -> None:
    (cli.folder / "rows.jsonl").write_text('{"id": "a", "prompt": "another"}\n')
    (cli.folder / "with.yaml").write_text(f"provider: autonomous\nmodel: llama\nbase_url: {server.url}\n")
    before = tree(cli.folder)
    assert is_refused(cli("run", "rows.jsonl", "--with", "with.yaml", "-o", OUTPUT), first)
    assert tree(cli.folder) == before


def test_adoption_takes_the_output_over_and_reports_it(cli: Cli, server: ChatServer, first: Path) -> None:
    second = write_job(cli, server, "second.yaml", "goodbye")
    ended = cli("run", "second.yaml", "-q", "--adopt")
    assert ended.code == 0
    assert f"out.jsonl was written by {first}; {second} takes it over" in ended.stderr
    assert "2 of 2 requests have changed since" in (cli.folder / "out.jsonl.log").read_text()
    assert record(cli)["real"] == str(second)
    assert len((cli.folder / "out.jsonl.superseded.jsonl").read_bytes().splitlines()) == 2
    assert is_refused(cli("run", "first.yaml"), second)
    assert cli("run", "second.yaml", "-q").code == 0


def test_adoption_is_an_option_of_the_library(
    cli: Cli, server: ChatServer, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = write_job(cli, server, "second.yaml", "goodbye")
    with pytest.raises(OutputOfAnotherJobError, match="first"):
        batch.run(second)
    with pytest.raises(OutputOfAnotherJobError, match="first"):
        batch.run(batch.load_job(second))
    assert batch.run(second, adopt=True).succeeded == 2
    assert record(cli)["real"] == str(second)


# Those who are not locked out


def test_the_same_job_resumes_without_a_notice(cli: Cli, server: ChatServer, first: Path) -> None:
    before = record(cli)
    for name in ("first.yaml", "./first.yaml", str(first)):
        ended = cli("run", name, "-q")
        assert (ended.code, ended.stderr) == (0, "")
    assert record(cli) == before


def rewritten(first: Path) -> Path:
    """An editor, or git, replaces a file by a new one of the same name."""
    content = first.read_bytes()
    first.unlink()
    first.with_name("other").write_bytes(b"takes the inode")
    first.write_bytes(content + b"# edited\n")
    return first


def behind_a_link(first: Path) -> Path:
    link = first.with_name("link.yaml")
    link.symlink_to(first)
    return link


def in_a_linked_folder(first: Path) -> Path:
    folder = first.with_name("linked")
    folder.symlink_to(first.parent)
    return folder / first.name


@pytest.mark.parametrize("change", [rewritten, behind_a_link, in_a_linked_folder])
def test_the_same_job_file_is_recognized(
    change: Callable[[Path], Path], cli: Cli, server: ChatServer, first: Path
) -> None:
    ended = cli("run", str(change(first)), "-q", "-o", OUTPUT)
    assert (ended.code, ended.stderr) == (0, "")


def renamed(first: Path) -> Path:
    return first.rename(first.with_name("renamed.yaml"))


def moved_to_another_folder(first: Path) -> Path:
    first.with_name("jobs").mkdir()
    return first.rename(first.parent / "jobs" / "first.yaml")


def deleted(first: Path) -> Path:
    path = first.with_name("second.yaml")
    path.write_text(first.read_text())
    first.unlink()
    return path


def turned_into_a_folder(first: Path) -> Path:
    path = renamed(first)
    first.mkdir()
    return path


@pytest.mark.parametrize("change", [renamed, moved_to_another_folder, deleted, turned_into_a_folder])
def test_a_removed_job_file_owns_no_output(
    change: Callable[[Path], Path], cli: Cli, server: ChatServer, first: Path
) -> None:
    path = change(first)
    ended = cli("run", str(path), "-q", "-o", OUTPUT)
    assert ended.code == 0
    said = f"{cli.folder / OUTPUT} was written by {first}, which no longer exists; {path} takes it over"
    assert ended.stderr.endswith(f"Z {said}\n")
    assert record(cli)["real"] == str(path)
    ended = cli("run", str(path), "-q", "-o", OUTPUT)
    assert (ended.code, ended.stderr) == (0, "")


def test_a_hard_link_is_the_same_file(cli: Cli, server: ChatServer, first: Path) -> None:
    os.link(first, cli.folder / "hard.yaml")
    first.write_text(first.read_text().replace("hello", "changed"))
    ended = cli("run", "hard.yaml")
    assert ended.code == 0
    assert f"was written by {first}, the same file as {cli.folder / 'hard.yaml'}" in ended.stderr


def test_a_new_file_in_place_of_a_renamed_one_is_another_job(
    cli: Cli, server: ChatServer, first: Path
) -> None:
    path = renamed(first)
    write_job(cli, server, "first.yaml", "goodbye", output="other.jsonl")
    assert is_refused(cli("run", str(path)), first)


def test_a_reused_inode_does_not_make_another_job_the_owner(
    cli: Cli, server: ChatServer, first: Path
) -> None:
    content, inode = first.read_bytes(), first.stat().st_ino
    first.with_name("kept").write_bytes(content)
    first.unlink()
    second = write_job(cli, server, "second.yaml", "goodbye")
    first.with_name("kept").rename(first)
    if second.stat().st_ino != inode:
        pytest.skip("this file system does not use an inode again at once")
    assert is_refused(cli("run", "second.yaml"), first)


def test_a_copied_project_is_a_project_of_its_own(cli: Cli, server: ChatServer, tmp_path: Path) -> None:
    write_job(cli, server, "project/jobs/first.yaml", output="../output/out.jsonl")
    assert cli("run", "project/jobs/first.yaml", "-q").code == 0
    shutil.copytree(cli.folder / "project", cli.folder / "copy")
    ended = cli("run", "copy/jobs/first.yaml", "-q")
    assert (ended.code, ended.stderr) == (0, "")
    second = write_job(cli, server, "copy/jobs/second.yaml", "goodbye", output="../output/out.jsonl")
    assert is_refused(cli("run", str(second)), cli.folder / "copy/jobs/first.yaml")
    (cli.folder / "project").rename(cli.folder / "moved")
    ended = cli("run", "moved/jobs/first.yaml", "-q")
    assert (ended.code, ended.stderr) == (0, "")


def test_a_copied_output_can_be_resumed_under_its_new_name(cli: Cli, server: ChatServer, first: Path) -> None:
    seen = len(server.seen)
    second = write_job(cli, server, "second.yaml", output="copy.jsonl")
    shutil.copy(cli.folder / OUTPUT, cli.folder / "copy.jsonl")
    ended = cli("run", "second.yaml")
    assert ended.code == 0
    assert f"copy.jsonl has no record of the job that wrote it; {second} takes it over" in ended.stderr
    for ending in (".job.json", ".summary.json"):
        shutil.copy(cli.folder / (OUTPUT + ending), cli.folder / f"copy2.jsonl{ending}")
    shutil.copy(cli.folder / OUTPUT, cli.folder / "copy2.jsonl")
    third = write_job(cli, server, "third.yaml", output="copy2.jsonl")
    ended = cli("run", "third.yaml")
    assert ended.code == 0
    assert f"copy2.jsonl was written by {first}; {third} takes it over" in ended.stderr
    assert len(server.seen) == seen, "what it has is not sent again"


def test_another_mount_path_does_not_lock_the_job_out(cli: Cli, server: ChatServer, first: Path) -> None:
    found = record(cli)
    inside = {"output": "/data/out.jsonl", "written": "/work/first.yaml", "real": "/work/first.yaml"}
    (cli.folder / "out.jsonl.job.json").write_text(
        json.dumps(found | inside | {"relative": "../work/first.yaml"})
    )
    write_job(cli, server, "first.yaml", "more")
    ended = cli("run", "first.yaml")
    assert ended.code == 0
    assert "out.jsonl was written by /work/first.yaml; " in ended.stderr


def test_an_output_without_a_record_is_taken_over(cli: Cli, server: ChatServer, first: Path) -> None:
    (cli.folder / "out.jsonl.job.json").unlink()
    second = write_job(cli, server, "second.yaml", "goodbye")
    ended = cli("run", "second.yaml")
    assert ended.code == 0
    assert f"out.jsonl has no record of the job that wrote it; {second} takes it over" in ended.stderr
    assert record(cli)["real"] == str(second)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b'{"schema_version": 2}', b"\xff\xfe", b'{"name": 1, "output": "o"}', b"[" * 100_000],
)
def test_a_damaged_record_is_ignored(text: bytes, cli: Cli, server: ChatServer, first: Path) -> None:
    (cli.folder / "out.jsonl.job.json").write_bytes(text)
    write_job(cli, server, "second.yaml", "goodbye")
    assert cli("run", "second.yaml", "-q").code == 0


def test_a_record_behind_a_link_is_ignored(cli: Cli, server: ChatServer, first: Path) -> None:
    secret = cli.folder / "secret"
    secret.write_bytes((cli.folder / "out.jsonl.job.json").read_bytes())
    (cli.folder / "out.jsonl.job.json").unlink()
    (cli.folder / "out.jsonl.job.json").symlink_to(secret)
    before = secret.read_bytes()
    second = write_job(cli, server, "second.yaml", "goodbye")
    assert cli("run", "second.yaml", "-q").code == 0
    assert secret.read_bytes() == before
    assert record(cli)["real"] == str(second)


def test_the_text_of_a_record_cannot_write_to_the_terminal(cli: Cli, server: ChatServer, first: Path) -> None:
    found = record(cli) | {"real": "/\x1b[2J\0", "written": None, "relative": None, "name": "\x1b[2J"}
    (cli.folder / "out.jsonl.job.json").write_text(json.dumps(found))
    write_job(cli, server, "second.yaml", "goodbye")
    ended = cli("run", "second.yaml")
    assert ended.code == 0
    assert "\x1b" not in ended.stderr


def test_a_deleted_output_has_no_owner(cli: Cli, server: ChatServer, first: Path) -> None:
    (cli.folder / OUTPUT).unlink()
    second = write_job(cli, server, "second.yaml", "goodbye")
    ended = cli("run", "second.yaml", "-q")
    assert (ended.code, ended.stderr) == (0, "")
    assert record(cli)["real"] == str(second)


def test_a_job_that_finds_all_of_its_results_takes_them_over_once(
    cli: Cli, server: ChatServer, first: Path
) -> None:
    path = renamed(first)
    assert cli("run", str(path), "--limit", "0").code == 0
    assert record(cli)["real"] == str(path)
    ended = cli("run", str(path), "-q")
    assert (ended.code, ended.stderr) == (0, "")


def test_a_run_that_may_not_send_takes_nothing_over(cli: Cli, server: ChatServer, first: Path) -> None:
    before = record(cli)
    path = renamed(first)
    write_job(cli, server, path.name, "changed")
    ended = cli("run", str(path), "--limit", "0")
    assert ended.code == 8
    assert "takes it over" not in ended.stderr
    assert record(cli) == before


def test_a_run_that_lacks_its_key_takes_nothing_over(cli: Cli, server: ChatServer, first: Path) -> None:
    (cli.folder / "out.jsonl.job.json").unlink()
    second = write_job(cli, server, "second.yaml", "goodbye")
    second.write_text(second.read_text() + "api_key_env: NO_SUCH_KEY\n")
    assert cli("run", "second.yaml").code == 2
    assert not (cli.folder / "out.jsonl.job.json").exists()


# Jobs that are mappings


def mapping(cli: Cli, server: ChatServer, name: str, prompt: str = "hello") -> dict[str, object]:
    return {
        "name": name,
        "provider": "autonomous",
        "model": "llama",
        "base_url": server.url,
        "prompts": [{"id": "a", "prompt": f"{prompt} one"}],
        "output": {"path": OUTPUT},
    }


def test_a_mapping_has_a_name_only(cli: Cli, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cli.folder)
    log = cli.folder / "out.jsonl.log"
    assert batch.run(mapping(cli, server, "one")).succeeded == 1
    assert record(cli) == {
        "name": "one",
        "output": str(cli.folder / OUTPUT),
        "written": None,
        "real": None,
        "relative": None,
        "schema_version": 1,
    }
    assert batch.run(mapping(cli, server, "one", "again")).succeeded == 1
    assert "takes it over" not in log.read_text()
    assert batch.run(mapping(cli, server, "two", "more")).succeeded == 1
    assert "was written by the job 'one'; the job 'two' takes it over" in log.read_text()
    write_job(cli, server, "second.yaml")
    assert "was written by the job 'two'" in cli("run", "second.yaml").stderr
    assert batch.run(mapping(cli, server, "one")).succeeded == 1
    assert f"was written by {cli.folder / 'second.yaml'}; the job 'one' takes it over" in log.read_text()


# The record itself


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_record_and_all_other_sidecars_have_the_mode_of_the_output(
    mode: int, cli: Cli, server: ChatServer
) -> None:
    write_job(cli, server, "first.yaml")
    output = cli.folder / OUTPUT
    output.touch()
    output.chmod(mode)
    assert cli("run", "first.yaml", "-q").code == 0
    write_job(cli, server, "first.yaml", "changed")
    assert cli("run", "first.yaml", "-q").code == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in cli.folder.glob("out.jsonl*")}
    assert modes == dict.fromkeys(
        [
            "out.jsonl",
            "out.jsonl.job.json",
            "out.jsonl.lock",
            "out.jsonl.log",
            "out.jsonl.runs.jsonl",
            "out.jsonl.summary.json",
            "out.jsonl.superseded.jsonl",
        ],
        mode,
    )


def test_an_output_that_was_made_private_afterwards_has_private_sidecars(
    cli: Cli, server: ChatServer, first: Path
) -> None:
    (cli.folder / OUTPUT).chmod(0o600)
    write_job(cli, server, "first.yaml", "changed")
    assert cli("run", "first.yaml", "-q").code == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in cli.folder.glob("out.jsonl*")}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_sidecars_that_root_makes_belong_to_the_owner_of_the_output(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "first.yaml")
    output = cli.folder / OUTPUT
    output.touch()
    os.chown(output, 1234, 4321)
    assert cli("run", "first.yaml", "-q").code == 0
    write_job(cli, server, "first.yaml", "changed")
    assert cli("run", "first.yaml", "-q").code == 0
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in cli.folder.glob("out.jsonl*")}
    assert owners == {(1234, 4321)}


def test_a_record_that_cannot_be_written_lets_nothing_be_sent(cli: Cli, server: ChatServer) -> None:
    write_job(cli, server, "first.yaml")
    (cli.folder / "out.jsonl.job.json").mkdir()
    ended = cli("run", "first.yaml")
    assert ended.code == 74
    assert "out.jsonl.job.json cannot be written: Is a directory" in ended.stderr
    assert server.seen == []
