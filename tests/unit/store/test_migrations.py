import sqlite3

from tendred.clock import SystemClock
from tendred.store import migrations


def names(path):
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT name FROM migration ORDER BY name")]
    connection.close()
    return found


def test_a_later_step_is_applied_once_with_a_backup_before(tmp_path):
    path = tmp_path / "tendred.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrations.migrate(connection, path, SystemClock())
    assert not list(tmp_path.glob("*-before-*.db"))
    extra = ("9999-test", lambda c: c.execute("CREATE TABLE extra (x)"))
    migrations.MIGRATIONS.append(extra)
    try:
        migrations.migrate(connection, path, SystemClock())
        migrations.migrate(connection, path, SystemClock())
    finally:
        migrations.MIGRATIONS.remove(extra)
    connection.close()
    backups = list(tmp_path.glob("*-before-*.db"))
    assert len(backups) == 1
    ours = [name for name, _ in migrations.MIGRATIONS]
    assert names(backups[0]) == ours
    assert names(path) == [*ours, "9999-test"]


def test_what_waited_before_there_was_a_line_waits_on_in_its_order(tmp_path):
    connection = sqlite3.connect(tmp_path / "tendred.db", isolation_level=None)
    later = migrations.MIGRATIONS[1:]
    del migrations.MIGRATIONS[1:]
    try:
        migrations.migrate(connection, tmp_path / "tendred.db", SystemClock())
    finally:
        migrations.MIGRATIONS.extend(later)
    for job_id, state, rank in (("job_3", "queued", 1), ("job_1", "queued", 1), ("job_2", "succeeded", 1)):
        connection.execute(
            "INSERT INTO job(id, kind, state, lane, lane_rank, rev, request, asked, origin, sealed_request, "
            "conditioning, policy, mac, removed, attempts, engine_deaths, created_at) "
            "VALUES (?, 'still', ?, 'normal', ?, 1, ?, x'', x'', x'', x'', '', x'', x'', 0, 0, 0)",
            (job_id, state, rank, b'{"model":"starter","count":1}'),
        )
    migrations.migrate(connection, tmp_path / "tendred.db", SystemClock())
    line = connection.execute("SELECT job_id, model FROM waiting ORDER BY lane_rank, place").fetchall()
    assert line == [("job_1", "starter"), ("job_3", "starter")]
    assert connection.execute("SELECT sum(waiting) FROM share").fetchone() == (2,)
    assert connection.execute("SELECT DISTINCT model FROM job").fetchall() == [("starter",)]
    connection.close()


def test_what_was_made_before_there_were_seals_is_listed_to_be_sealed(tmp_path):
    path = tmp_path / "tendred.db"
    connection = sqlite3.connect(path, isolation_level=None)
    before = [name for name, _ in migrations.MIGRATIONS].index("0005-own")
    later = migrations.MIGRATIONS[before:]
    del migrations.MIGRATIONS[before:]
    try:
        migrations.migrate(connection, path, SystemClock())
    finally:
        migrations.MIGRATIONS.extend(later)
    doc = b'{"made":[{"asset_id":"ast_1","sha256":"a"},{"asset_id":"ast_2","sha256":"b"}]}'
    connection.execute("INSERT INTO receipt VALUES (1, 'rcp_1', 'job_1', ?, 'body', 'prev')", (doc,))
    connection.execute("INSERT INTO refusal VALUES ('ref_1', 0, 'rpc', 'minor.age', 'p', x'00')")
    migrations.migrate(connection, path, SystemClock())
    rows = connection.execute("SELECT * FROM own ORDER BY asset_id").fetchall()
    assert rows == [("ast_1", "rcp_1", "a", b""), ("ast_2", "rcp_1", "b", b"")]
    assert connection.execute("SELECT value FROM setting WHERE name = 'own_to_seal'").fetchone() == (b"true",)
    assert connection.execute("SELECT category FROM refusal").fetchone() == ("minor",)
    connection.close()


def test_a_new_database_has_nothing_to_seal(tmp_path):
    connection = sqlite3.connect(tmp_path / "tendred.db", isolation_level=None)
    migrations.migrate(connection, tmp_path / "tendred.db", SystemClock())
    assert connection.execute("SELECT count(*) FROM setting").fetchone() == (0,)
    connection.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path):
    path = tmp_path / "tendred.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrations.migrate(connection, path, SystemClock())

    def broken(c):
        c.execute("CREATE TABLE half (x)")
        c.execute("NOT SQL")

    migrations.MIGRATIONS.append(("9999-broken", broken))
    try:
        try:
            migrations.migrate(connection, path, SystemClock())
        except sqlite3.OperationalError:
            failed = True
    finally:
        migrations.MIGRATIONS.pop()
    assert failed
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()[0] == 0
    connection.close()
    assert names(path) == [name for name, _ in migrations.MIGRATIONS]
