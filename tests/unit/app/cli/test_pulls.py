import signal

import pytest

from tendred.app.cli.pulls import repo_of

from .test_terminal import Terminal


def test_a_pull_is_followed_to_its_end(tendre, peer):
    ran = tendre("pull", "maker/tiny")
    assert ran.code == 0
    assert "Pulled tiny (4.0 MB, licence openrail++)" in ran.out
    assert "maker/tiny: 9 files, 4.0 MB, licence openrail++" in ran.err
    assert tendre("pull", "maker/other", "--json").document["pull"]["state"] == "succeeded"


def test_a_pull_may_be_left_alone_and_found_again(tendre, peer):
    pull_id = tendre("pull", "maker/tiny", "--no-wait").out.strip()
    assert pull_id.startswith("pul_")
    assert tendre("pull", "maker/tiny", "--no-wait").out.strip() == pull_id
    assert tendre("pull", pull_id).code == 0
    assert [it["state"] for it in tendre("pulls", "--json").document["pulls"]] == ["succeeded"]


def test_pause_resume_and_cancel_by_name_id_or_nothing(tendre, peer):
    pull_id = tendre("pull", "maker/tiny", "--no-wait").out.strip()
    for what in (["maker/tiny"], [pull_id], [], ["https://huggingface.co/maker/tiny"]):
        ran = tendre("pull", "--pause", *what)
        assert ran.code == 0, ran.err
        assert "tendre pull maker/tiny" in ran.out
        assert tendre("pull", "--resume", "--no-wait", *what).out.strip() == pull_id
    ran = tendre("pull", "--cancel", "maker/tiny")
    assert ran.code == 0
    assert "removed" in ran.out
    ran = tendre("pull", "--pause", "--json")
    assert ran.code == 1
    assert ran.document["error"]["kind"] == "not_found"
    assert ran.document["error"]["message"] == "No pull is waiting or going on."
    assert "No pull is at rest" in tendre("pull", "--resume").err
    assert "There is no such pull: maker/none." in tendre("pull", "--pause", "maker/none").err


def test_a_name_that_can_be_none_is_told_in_words(tendre, peer):
    ran = tendre("pull", "a/b/c")
    assert ran.code == 2
    assert "OWNER/NAME" in ran.err
    assert "(?" not in ran.err


def test_what_fails_is_told_with_the_next_step(tendre, peer):
    ran = tendre("pull", "maker/gated")
    assert ran.code == 1
    assert "https://huggingface.co/maker/gated" in ran.err
    assert tendre("pull", "maker/gated", "--json").document["pull"]["state"] == "failed"
    assert "(credentials_missing)" in tendre("pulls").out


def test_a_network_that_comes_back_is_remarked_upon(tendre, peer):
    ran = tendre("pull", "maker/shaky")
    assert ran.code == 0
    assert ran.err.count("Trying again") == 1


def test_pulls_are_listed(tendre, peer):
    assert "nothing" in tendre("pulls").err
    tendre("pull", "maker/tiny", "--variant", "fp16", "--no-wait")
    head, row = tendre("pulls").out.splitlines()
    assert head.split() == ["ID", "STATE", "FETCHED", "CREATED", "MODEL"]
    assert row.endswith("maker/tiny fp16")
    assert tendre("pulls", "--state", "failed", "--json").document == {"pulls": [], "next": None}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("maker/tiny", ("maker/tiny", None)),
        ("https://huggingface.co/maker/tiny", ("maker/tiny", None)),
        ("hf.co/maker/tiny/", ("maker/tiny", None)),
        ("https://huggingface.co/maker/tiny/tree/v2", ("maker/tiny", "v2")),
        ("https://huggingface.co/maker/tiny?not-for-all=1", ("maker/tiny", None)),
        ("https://elsewhere.example/maker/tiny", ("https://elsewhere.example/maker/tiny", None)),
    ],
)
def test_the_address_of_a_page_will_do(text, meant):
    assert repo_of(text) == meant


def test_progress_on_a_terminal_and_ctrl_c_leaves_it_going(home, peer):
    terminal = Terminal(home, "pull", "maker/stuck")
    assert terminal.until("of 4.0 MB")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.until("tendre pull --pause maker/stuck")
    assert terminal.end() == 130
    [pull] = peer.run(peer.studio.pulls.page(None, 5, None)).pulls
    assert pull.state == "running"
