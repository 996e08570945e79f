"""pipelines/container: the night as a CronJob, against the schema of Kubernetes and the image that it starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from conversync.cli.main import app
from tests.orchestration.conftest import Run
from tests.process.support import ROOT

pytestmark = pytest.mark.orchestration
FOLDER = ROOT / "pipelines" / "container"
FILE = FOLDER / "cronjob.yaml"
# As README and `conversync nightly --help` tell them; 0 is done.
EXIT_CODES = {1, 2, 3, 4, 5, 6}
MAY_BE_GONE_SOON = {4, 6}


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """By kind."""
    return {one["kind"]: one for one in yaml.safe_load_all(FILE.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def image() -> dict[str, list[str]]:
    """The last words of each instruction of the Dockerfile."""
    lines = (FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if re.match("[A-Z]+ ", line)}


def test_it_is_what_kubernetes_takes(scheduler: Run, tmp_path: Path) -> None:
    """Strictly: a word that the schema does not know is refused."""
    ended = scheduler("kubernetes", "kubernetes-validate", "--strict", str(FILE))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (ended.stdout + ended.stderr).count("passed") == 2
    misspelt = tmp_path / "misspelt.yaml"
    text = FILE.read_text(encoding="utf-8")
    misspelt.write_text(text.replace("concurrencyPolicy", "concurencyPolicy"), encoding="utf-8")
    assert scheduler("kubernetes", "kubernetes-validate", "--strict", str(misspelt)).returncode != 0


def test_it_starts_the_image_as_its_user_in_its_folder(
    documents: dict[str, Any], image: dict[str, list[str]]
) -> None:
    """One number, one folder that can be written, which is kept; and what dbt's locks want."""
    pod = documents["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [night] = pod["containers"]
    users = {pod["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")}
    assert image["USER"] == [f"{users.pop()}:10001"]
    assert not users
    assert night["securityContext"]["readOnlyRootFilesystem"]
    mounted = {one["mountPath"]: one["name"] for one in night["volumeMounts"]}
    assert list(mounted) == [*image["VOLUME"], "/dev/shm"]  # noqa: S108 - a mount of the container
    assert image["WORKDIR"] == image["VOLUME"]
    kept = {one["name"]: one.get("persistentVolumeClaim") for one in pod["volumes"]}
    assert kept[mounted["/data"]] == {"claimName": documents["PersistentVolumeClaim"]["metadata"]["name"]}


def test_it_says_what_the_command_knows(documents: dict[str, Any]) -> None:
    """Its arguments are options of `nightly`; only what may be gone soon is tried again."""
    job = documents["CronJob"]["spec"]["jobTemplate"]["spec"]
    [night] = job["template"]["spec"]["containers"]
    command, *words = night["args"]
    from typer.main import get_command

    known = get_command(app).commands[command]  # type: ignore[attr-defined] # typer's command is a group
    options = {name for one in known.params for name in one.opts}
    assert {word for word in words if word.startswith("--")} <= options
    [rule] = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["containerName"] == night["name"]
    assert set(rule["onExitCodes"]["values"]) == EXIT_CODES - MAY_BE_GONE_SOON
    assert job["backoffLimit"] > 0
