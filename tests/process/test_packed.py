"""L10: what is packed is what the repository holds; a stray file in a folder stays there, and the wheel alone works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import conversync
from tests.houses import made_once

ROOT = Path(__file__).parents[2]
PACKAGES = ("conversync",)
# What may lie about in a folder of somebody who works with it.
STRAY = (
    "secrets.toml",
    ".env",
    "dump.csv",
    ".dlt/secrets.toml",
    "warehouse.duckdb",
    "export.parquet",
    "id_rsa",
)
pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="what a repository holds only git can tell"
)


def held() -> list[str]:
    """What the repository holds, as it stands in the folder."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [name for name in told.stdout.split("\0") if name and (ROOT / name).exists()]


@dataclass(frozen=True)
class Packed:
    """A wheel and a source distribution, built in a copy of the repository where stray files lie in every folder."""

    folder: Path

    @property
    def wheel(self) -> Path:
        """The file."""
        [found] = self.folder.glob("dist/*.whl")
        return found

    def in_wheel(self) -> set[str]:
        """The names of its files, without what every wheel says of itself."""
        with zipfile.ZipFile(self.wheel) as packed:
            return {name for name in packed.namelist() if ".dist-info/" not in name}

    def in_source(self) -> set[str]:
        """The names of its files, from the project's folder on."""
        [found] = self.folder.glob("dist/*.tar.gz")
        with tarfile.open(found) as packed:
            return {one.name.partition("/")[2] for one in packed if one.isfile()}


def build(folder: Path) -> None:
    """Without what git would leave out, so that the lists alone decide."""
    copy = folder / "copy"
    for name in held():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith(".gitignore"):
            shutil.copy(ROOT / name, copy / name)
    for place in [copy, *(one for one in copy.rglob("*") if one.is_dir())]:
        for name in STRAY:
            if not (place / name).exists():
                (place / name).parent.mkdir(exist_ok=True)
                (place / name).write_text("canary", encoding="utf-8")
    argv = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-d",
        str(folder / "dist"),
        "-t",
        "sdist",
        "-t",
        "wheel",
    ]
    subprocess.run(argv, cwd=copy, check=True, capture_output=True)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Built once."""
    return Packed(made_once(tmp_path_factory, "packed", build))


def test_l10_a_wheel_holds_the_packages_and_nothing_that_lies_about(packed: Packed) -> None:
    """Every file of them that the repository holds, dbt's project among them, and no other."""
    expected = {name for name in held() if name.startswith(tuple(f"{one}/" for one in PACKAGES))}
    expected |= {f"conversync/_{name}" for name in held() if name.startswith("dbt/")}
    expected |= {f"conversync/{name}" for name in held() if name.startswith("sources/")}
    assert packed.in_wheel() == {name for name in expected if not name.endswith(".gitignore")}
    assert (packed.folder / "copy" / "conversync" / "secrets.toml").exists()


def test_the_image_is_made_of_all_that_it_needs(packed: Packed, tmp_path: Path) -> None:
    """What its file copies builds the same wheel; nobody's settings are in it, and no shell starts it."""
    page = (ROOT / "pipelines" / "container" / "Dockerfile").read_text(encoding="utf-8")
    lines = [line.split() for line in page.splitlines()]
    image = Packed(tmp_path)
    for _, *names, place in (line for line in lines if line[:1] == ["COPY"]):
        for name in names:
            what, where = packed.folder / "copy" / name, tmp_path / place
            if what.is_dir():
                shutil.copytree(what, where)
            else:
                shutil.copy(what, where / what.name)
    assert not {path.name for path in tmp_path.iterdir()} & {name.partition("/")[0] for name in STRAY}
    assert (tmp_path / "requirements.lock").exists()
    argv = [sys.executable, "-m", "hatchling", "build", "-d", "dist", "-t", "wheel"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    assert image.in_wheel() == packed.in_wheel()
    # By number, so that a system without its name takes it; nothing is started by a shell.
    assert [line for line in lines if line[:1] == ["USER"]] == [["USER", "10001:10001"]]
    assert all(line[1].startswith("[") for line in lines if line[:1] in (["ENTRYPOINT"], ["CMD"]))


def test_l10_a_source_distribution_holds_the_repository_and_nothing_that_lies_about(packed: Packed) -> None:
    """Every file of it, and what a build adds."""
    expected = {name for name in held() if not name.endswith(".gitignore")}
    assert packed.in_source() == {*expected, "PKG-INFO"}


@dataclass(frozen=True)
class Installed:
    """The command out of the wheel, in an environment and a folder of its own."""

    folder: Path

    def run(self, *argv: str, most: float = 60) -> subprocess.CompletedProcess[str]:
        """Nothing of the repository is on its path."""
        return subprocess.run(
            [str(self.folder / "bin" / argv[0]), *argv[1:]], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=most, check=False,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """No settings."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "dumb"}


@pytest.fixture(scope="module")
def installed(packed: Packed, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Installed from the file; what the project depends on comes from the environment of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    [site] = folder.glob("lib/*/site-packages")
    # A line that is a path: its own .pth files, the repository's among them, are not read.
    (site / "dependencies.pth").write_text(f"{_dependencies()}\n", encoding="utf-8")
    argv = [
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
    ]
    _done([sys.executable, *argv, str(packed.wheel)])
    return Installed(folder)


def _dependencies() -> Path:
    import dlt

    return Path(dlt.__file__).parents[1]


def _done(argv: Sequence[str]) -> None:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.more
def test_l10_the_wheel_alone_has_all_that_the_command_needs(installed: Installed) -> None:
    """Its packages come out of the wheel; the models, the views and the columns' sentences are there."""
    script = """
import conversync
from conversync import besitos, build, sandbox
from conversync.report import reading, sections_of_page
from conversync.vendors import known, vendors
assert build.project().name == "_dbt" and list(build.project().rglob("models/*/*.yml"))
assert len(list(reading.QUERIES.glob("*.sql"))) > 20
assert all((one.folder / f"{one.key}.html").is_file() for one in sections_of_page())
assert {"sms", "goals"} < {one.key for one in sections_of_page()}
assert all(list(one.folder.glob("*.sql")) for one in sections_of_page() if one.after)
assert known()["keitaro"].outboxes
assert vendors()["besitos"].days
print(conversync.__file__, sandbox.__file__)
"""
    ended = installed.run("python", "-c", script)
    assert ended.returncode == 0, ended.stderr
    assert all(Path(one).is_relative_to(installed.folder) for one in ended.stdout.split())
    assert not Path(conversync.__file__).is_relative_to(installed.folder)


def test_l10_the_sandbox_answers_out_of_the_wheel(installed: Installed) -> None:
    """`conversync sandbox` starts, says where it is, and ends when it is told to."""
    with subprocess.Popen(
        [str(installed.folder / "bin" / "conversync"), "sandbox"],
        cwd=installed.folder, env={**installed.environment, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "")
        assert any("127.0.0.1" in line for line in lines)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) in (0, 130)


@pytest.mark.long
def test_l10_the_demo_runs_out_of_the_wheel(installed: Installed) -> None:
    """Loaded, built, sent and reported, with nothing but the wheel."""
    ended = installed.run("conversync", "demo", most=600)
    assert ended.returncode == 0, ended.stderr
    assert (installed.folder / "demo" / "warehouse.duckdb").exists()
