# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed file of a service: read, rewritten, validated, replaced in one step."""

from __future__ import annotations

import ast
import stat
import sys
from pathlib import Path

import pytest
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import BalancerError, InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._haproxy import _config, check
from hypothesis import given
from hypothesis import strategies as st

TEXT = """\
# sluice.bluegreen service=shop shares={"blue": 100.0, "green": 0.0}
# Written by the role

global
    setenv sluice_shop 4f1d2c

frontend shop
    bind *:80
    default_backend shop

backend shop
\tbalance roundrobin
    server blue1  198.18.0.11:8080 weight 256 check inter 2s   # weight 9 in a comment
    server green1 198.18.0.21:8080 weight 0 check
    server green2 198.18.0.22:8080 check weight 0

backend shop_blue
    server blue1 198.18.0.11:8080 weight 1 track shop/blue1

backend shop_green
    server green1 198.18.0.21:8080 track shop/green1
    server green2 198.18.0.22:8080 track shop/green2
"""
SHARES = {"blue": 95.0, "green": 5.0}
WEIGHTS = {"blue1": 247, "green1": 13, "green2": 7}


def test_weights_shares_and_colors_are_read_as_they_stand_in_the_file() -> None:
    assert _config.committed_weights(TEXT, "shop") == {"blue1": 256, "green1": 0, "green2": 0}
    assert _config.committed_shares(TEXT) == {"blue": 100.0, "green": 0.0}
    assert _config.committed_colors(TEXT, "shop") == {"blue": ["blue1"], "green": ["green1", "green2"]}


def test_only_the_header_and_the_weights_of_the_backend_are_rewritten() -> None:
    after = _config.with_weights(TEXT, "shop", WEIGHTS, SHARES)
    assert after == (
        TEXT.replace('{"blue": 100.0, "green": 0.0}', '{"blue": 95.0, "green": 5.0}')
        .replace("8080 weight 256 check", "8080 weight 247 check")
        .replace("8080 weight 0 check", "8080 weight 13 check")
        .replace("8080 check weight 0", "8080 check weight 7")
    )


def test_writing_what_is_there_gives_the_same_bytes() -> None:
    committed = _config.committed_weights(TEXT, "shop")
    assert _config.with_weights(TEXT, "shop", committed, _config.committed_shares(TEXT)) == TEXT


@given(st.lists(st.integers(0, 256), min_size=3, max_size=3), st.integers(0, 100))
def test_what_is_written_is_what_is_read(weights: list[int], share: int) -> None:
    wanted = dict(zip(WEIGHTS, weights))
    shares = {"blue": 100.0 - share, "green": float(share)}
    after = _config.with_weights(TEXT, "shop", wanted, shares)
    assert _config.committed_weights(after, "shop") == wanted
    assert _config.committed_shares(after) == shares
    assert _config.revision(after, "shop") == _config.revision(TEXT, "shop"), "weights alone never need a reload"


def test_bytes_that_are_not_utf8_and_windows_line_ends_survive(tmp_path: Path) -> None:
    path = tmp_path / "shop.cfg"
    original = TEXT.replace("\n", "\r\n").encode() + b"# caf\xe9\r\n"
    path.write_bytes(original)
    text = _config.read_service_file(str(path))
    assert text is not None
    after = _config.with_weights(text, "shop", WEIGHTS, SHARES)
    _config._replace(path, after)
    assert path.read_bytes().endswith(b"# caf\xe9\r\n")
    assert path.read_bytes().count(b"\r\n") == original.count(b"\r\n")


def test_a_file_names_its_own_revision_and_no_other() -> None:
    assert _config.revision(TEXT, "shop") == "4f1d2c"
    assert _config.revision(TEXT, "sho") is None
    assert _config.revision(TEXT, _config.MAIN) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "backend shop\n",
        "# sluice.bluegreen service=shop shares={broken}\n",
        "# sluice.bluegreen service=shop shares={}x\n",
    ],
)
def test_a_file_without_a_readable_header_is_not_taken_for_ours(text: str) -> None:
    with pytest.raises(BalancerError, match="not a service's file of this collection"):
        _config.committed_shares(text)


def test_a_server_without_a_weight_or_a_missing_backend_is_refused() -> None:
    with pytest.raises(BalancerError, match="has no weight on its line"):
        _config.committed_weights(TEXT.replace(" check weight 0", " check"), "shop")
    with pytest.raises(BalancerError, match="no backend cart"):
        _config.committed_weights(TEXT, "cart")


def test_servers_on_disk_that_are_not_the_expected_ones_are_listed() -> None:
    with pytest.raises(BalancerError, match=r"missing \['green9'\], unexpected \['green2'\]"):
        _config.with_weights(TEXT, "shop", {"blue1": 1, "green1": 1, "green9": 1}, SHARES)


def test_a_weight_that_haproxy_would_refuse_is_refused_first() -> None:
    with pytest.raises(InputError, match="weight 257 of green1 is outside of 0 to 256"):
        _config.with_weights(TEXT, "shop", {**WEIGHTS, "green1": 257}, SHARES)


class Played:
    """A stand-in for HAProxy's binary: it keeps what it is given to check, and refuses the word `broken` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf_dir = folder / "conf.d"
        self.conf_dir.mkdir()
        self.main = folder / "haproxy.cfg"
        self.main.write_text("global\n")
        self.binary = folder / "haproxy"
        self.binary.write_text(
            f"""#!{sys.executable}
import pathlib, sys
main, extra = pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[5])
seen = {{p.name: p.read_bytes() for p in [main, *sorted(extra.iterdir())]}}
pathlib.Path({str(folder / "seen")!r}).write_text(repr(seen))
for name, text in seen.items():
    if b"broken" in text:
        path = main if name == main.name else extra / name
        print(f"[NOTICE]   (1) : haproxy version is 2.6.12")
        print(f"[ALERT]    (1) : config : parsing [{{path}}:3] : unknown keyword 'broken'")
        print(f"[ALERT]    (1) : config : Fatal errors found in configuration.")
        sys.exit(1)
"""
        )
        self.binary.chmod(0o755)

    def seen(self) -> dict[str, bytes]:
        found = ast.literal_eval((self.folder / "seen").read_text())
        assert isinstance(found, dict)
        return found

    def check(self, replaced: Path | None = None, text: str = "") -> None:
        _config.check_config(
            str(self.binary), str(self.main), str(self.conf_dir), str(replaced) if replaced else None, text
        )


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


def test_the_whole_configuration_is_validated_with_one_file_replaced(played: Played) -> None:
    (played.conf_dir / "cart.cfg").write_text("# cart\n")
    (played.conf_dir / "shop.cfg").write_text("# old shop\n")
    (played.conf_dir / ".hidden.cfg").write_text("broken\n")
    (played.conf_dir / "shop.cfg.new").write_text("broken\n")
    played.check(played.conf_dir / "shop.cfg", "# new shop\n")
    assert played.seen() == {"haproxy.cfg": b"global\n", "cart.cfg": b"# cart\n", "shop.cfg": b"# new shop\n"}
    assert (played.conf_dir / "shop.cfg").read_text() == "# old shop\n"


def test_a_refusal_carries_haproxys_own_words_with_the_real_path(played: Played) -> None:
    with pytest.raises(BalancerError) as raised:
        played.check(played.conf_dir / "shop.cfg", "broken\n")
    path = played.conf_dir / "shop.cfg"
    assert raised.value.details["alerts"] == [f"parsing [{path}:3] : unknown keyword 'broken'"]
    assert f"HAProxy refuses the configuration with the new {path}; nothing was changed" in str(raised.value)


def test_the_main_file_can_be_the_replaced_one_before_any_service_exists(played: Played) -> None:
    played.conf_dir.rmdir()
    played.check(played.main, "global\n# new\n")
    assert played.seen() == {"haproxy.cfg": b"global\n# new\n"}
    with pytest.raises(BalancerError, match=rf"parsing \[{played.main}:3\]"):
        played.check(played.main, "broken\n")


def test_a_path_outside_of_the_configuration_cannot_be_validated(played: Played) -> None:
    with pytest.raises(InputError, match="neither"):
        played.check(played.folder / "elsewhere.cfg", "")
    with pytest.raises(InputError, match="neither"):
        played.check(played.conf_dir / "shop.conf", "")


def test_a_balancer_without_haproxy_is_told_apart_from_a_broken_configuration(played: Played) -> None:
    played.binary.unlink()
    with pytest.raises(BalancerError, match="HAProxy is not installed on this balancer"):
        played.check()


def commit(played: Played, text: str = TEXT, check_mode: bool = False) -> _config.CommitResult:
    path = played.conf_dir / "shop.cfg"
    path.write_text(text)
    path.chmod(0o640)
    return _config.commit(
        str(path), "shop", WEIGHTS, SHARES, str(played.binary), str(played.main), check_mode=check_mode
    )


def test_a_commit_validates_then_replaces_the_file_and_keeps_its_mode(played: Played) -> None:
    result = commit(played)
    path = played.conf_dir / "shop.cfg"
    assert result.changed
    assert (result.before, result.after) == (TEXT, path.read_text())
    assert _config.committed_weights(path.read_text(), "shop") == WEIGHTS
    assert played.seen()["shop.cfg"] == result.after.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in played.conf_dir.iterdir()] == ["shop.cfg"], "nothing is left beside it"


def test_a_commit_of_what_is_committed_changes_nothing_and_asks_nobody(played: Played) -> None:
    result = commit(played, _config.with_weights(TEXT, "shop", WEIGHTS, SHARES))
    assert not result.changed
    assert not (played.folder / "seen").exists()


def test_a_commit_in_check_mode_validates_and_writes_nothing(played: Played) -> None:
    result = commit(played, check_mode=True)
    assert result.changed
    assert (played.conf_dir / "shop.cfg").read_text() == TEXT
    assert (played.folder / "seen").exists()


def test_a_refused_commit_leaves_the_file_as_it_was(played: Played) -> None:
    text = TEXT + "# broken by somebody else\n"
    with pytest.raises(BalancerError, match="HAProxy refuses the configuration"):
        commit(played, text)
    assert (played.conf_dir / "shop.cfg").read_text() == text
    assert [entry.name for entry in played.conf_dir.iterdir()] == ["shop.cfg"]


def test_a_commit_on_a_balancer_without_the_service_says_what_to_run(played: Played) -> None:
    with pytest.raises(BalancerError, match=r"no .*/shop\.cfg on this balancer\. Run sluice\.bluegreen\.site"):
        _config.commit(str(played.conf_dir / "shop.cfg"), "shop", WEIGHTS, SHARES)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_config.os, "fsync", no_space)
    with pytest.raises(BalancerError, match=r"Cannot write .*/shop\.cfg, it is as it was: No space left"):
        commit(played)
    assert (played.conf_dir / "shop.cfg").read_text() == TEXT
    assert [entry.name for entry in played.conf_dir.iterdir()] == ["shop.cfg"]


def run_check(played: Played, text: str) -> int:
    staged = played.folder / "staged"
    staged.write_text(text)
    destination = str(played.conf_dir / "shop.cfg")
    return check.main(["--as", destination, "--haproxy", str(played.binary), "--main", str(played.main), str(staged)])


def test_the_command_for_templates_accepts_and_refuses_by_its_exit_status(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_check(played, TEXT) == 0
    assert run_check(played, "broken\n") == 1
    assert "unknown keyword 'broken'" in capsys.readouterr().err


def test_nor_one_that_haproxy_judges_while_a_commit_is_made(
    played: Played, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    committed = _config.with_weights(TEXT, "shop", WEIGHTS, SHARES)
    (tmp_path / "committed").write_text(committed)
    (played.conf_dir / "shop.cfg").write_text(TEXT)
    slow = tmp_path / "slow"
    slow.write_text(f'#!/bin/sh\ncp {tmp_path}/committed {played.conf_dir}/shop.cfg\nexec {played.binary} "$@"\n')
    slow.chmod(0o755)
    staged = tmp_path / "staged"
    staged.write_text(TEXT)
    destination = str(played.conf_dir / "shop.cfg")
    assert check.main(["--as", destination, "--haproxy", str(slow), "--main", str(played.main), str(staged)]) == 1
    assert "was committed meanwhile: it has {'blue': 95.0, 'green': 5.0}" in capsys.readouterr().err


def test_a_file_prepared_before_a_commit_cannot_undo_it(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    (played.conf_dir / "shop.cfg").write_text(_config.with_weights(TEXT, "shop", WEIGHTS, SHARES))
    assert run_check(played, TEXT) == 1
    assert "was committed meanwhile: it has {'blue': 95.0, 'green': 5.0}" in capsys.readouterr().err
    assert run_check(played, _config.with_weights(TEXT, "shop", WEIGHTS, SHARES)) == 0
