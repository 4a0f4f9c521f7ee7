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
    assert names(backups[0]) == [name for name, _ in migrations.MIGRATIONS]
    assert names(path) == [*[name for name, _ in migrations.MIGRATIONS], "9999-test"]


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
