"""K26: what the command says of a proxy, and where the setting is read."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.process.support import PATIENCE, Place


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_k26_a_proxy_that_is_not_heeded_is_one_line_on_standard_error(place: Place, log_format: str) -> None:
    """By the variable's name, in the format of the run."""
    place.env |= {"BESITOS_URL": "https://127.0.0.1:1", "HTTPS_PROXY": "http://jane:canary@127.0.0.1:2"}
    run = place.begin("--log-format", log_format)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not (
        run.stderr.exists() and "HTTPS_PROXY" in run.stderr.read_text()
    ):
        time.sleep(0.05)
    run.signal(signal.SIGINT)
    done = run.wait()
    [line] = [line for line in done.err.splitlines() if "HTTPS_PROXY" in line]
    text = json.loads(line)["text"] if log_format == "json" else line.removeprefix("conversync: ")
    assert text.startswith("HTTPS_PROXY is set, and is not used: the vendors are asked directly.")
    assert "canary" not in done.told


@pytest.mark.parametrize(
    ("file", "value", "sentence"),
    [
        (
            "config.toml",
            "socks5://127.0.0.1:2",
            "CONVERSYNC_PROXY names a proxy that is not spoken to by plain http",
        ),
        (
            "secrets.toml",
            "socks5://j:canary@127.0.0.1:2",
            "CONVERSYNC_PROXY names a proxy that is not spoken to",
        ),
        ("config.toml", "http://jane:canary@127.0.0.1:2", "proxy holds a user name or a password"),
    ],
)
def test_k26_the_setting_is_read_from_the_files(place: Place, file: str, value: str, sentence: str) -> None:
    """Exit 2 for one that cannot be used, or that stands where others may read it."""
    (place.folder / ".dlt").mkdir()
    (place.folder / ".dlt" / file).write_text(f'proxy = "{value}"\n')
    place.env["BESITOS_URL"] = "https://127.0.0.1:1"
    done = place.load()
    done.refused(2, sentence)
    assert "canary" not in done.told


@pytest.mark.more
@pytest.mark.parametrize(("word", "meant"), [("enw", "env"), ("nnoe", "none"), ("off", ""), ("proxy", "")])
@pytest.mark.parametrize("how", ["CONVERSYNC_PROXY", "config.toml"])
def test_k26_a_word_that_is_no_proxy(place: Place, how: str, word: str, meant: str) -> None:
    """`enw` for `env`: exit 2 and the nearest word, before a host of that name is looked for."""
    if how == "CONVERSYNC_PROXY":
        place.env[how] = word
    else:
        (place.folder / ".dlt").mkdir()
        (place.folder / ".dlt" / how).write_text(f'proxy = "{word}"\n')
    done = place.load()
    done.refused(2, f'proxy is "{word}"', "http://proxy:3128, or env or none")
    assert ("Did you mean" in done.told, f"Did you mean {meant}?" in done.told) == (bool(meant), bool(meant))
    assert place.sandbox.requests == []
