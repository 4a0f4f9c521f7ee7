from tendred.schema.frames import pack
from tendred.schema.pull import HubAccess, Look, Plan, RemoteFile, Wanted


def test_a_plan_knows_its_size():
    files = [RemoteFile(name=str(n), bytes=n, sha256=None, blob_sha1="0") for n in (1, 20)]
    assert Plan(commit="c", files=[Wanted(source=file, target=file.name) for file in files]).bytes == 21


def test_a_token_is_sent_to_the_child_and_shown_to_nobody():
    look = Look(repo="maker/tiny", revision="main", hub=HubAccess(endpoint="https://hub", token="hf_secret"))
    assert "hf_secret" not in f"{look} {look!r}"
    assert b"hf_secret" in pack(look)
