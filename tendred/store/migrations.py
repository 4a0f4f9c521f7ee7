"""The shape of the database: named steps, each applied once, in order, with a backup before the first new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tendred.clock import Clock, rfc3339
from tendred.errors import StoreBroken

_SPINE: Final = """
CREATE TABLE job (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, lane TEXT NOT NULL, lane_rank INTEGER NOT NULL,
  rev INTEGER NOT NULL, request BLOB NOT NULL, asked BLOB NOT NULL, origin BLOB NOT NULL,
  sealed_request BLOB NOT NULL, conditioning BLOB NOT NULL, policy TEXT NOT NULL, mac BLOB NOT NULL,
  removed BLOB NOT NULL, attempts INTEGER NOT NULL, engine_deaths INTEGER NOT NULL,
  created_at REAL NOT NULL, started_at REAL, finished_at REAL, error BLOB, retry_of TEXT,
  idem TEXT UNIQUE, idem_hash BLOB) WITHOUT ROWID;
CREATE INDEX job_claim ON job(lane_rank, id) WHERE state = 'queued';
CREATE INDEX job_open ON job(state, id) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX job_by_state ON job(state, id);
CREATE TABLE tally (state TEXT NOT NULL, lane TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (state, lane))
  WITHOUT ROWID;
CREATE TRIGGER job_counted AFTER INSERT ON job BEGIN
  INSERT INTO tally VALUES (new.state, new.lane, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER job_recounted AFTER UPDATE OF state ON job WHEN old.state <> new.state BEGIN
  UPDATE tally SET count = count - 1 WHERE state = old.state AND lane = old.lane;
  INSERT INTO tally VALUES (new.state, new.lane, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT NOT NULL, at REAL NOT NULL, topic TEXT NOT NULL,
  job_id TEXT, data BLOB NOT NULL);
CREATE TABLE asset (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, idx INTEGER NOT NULL, kind TEXT NOT NULL,
  state TEXT NOT NULL, created_at REAL NOT NULL, model TEXT NOT NULL, character TEXT, path TEXT NOT NULL,
  words TEXT NOT NULL, indexed INTEGER NOT NULL DEFAULT 0, doc BLOB NOT NULL);
CREATE INDEX asset_of_job ON asset(job_id, idx);
-- Beside what pages go by, what they may be narrowed by: a row that doesn't fit is never read itself.
CREATE INDEX asset_page ON asset(state, n, created_at, kind, model, character);
CREATE INDEX asset_to_index ON asset(n) WHERE indexed = 0;
CREATE TABLE asset_tag (tag TEXT NOT NULL, n INTEGER NOT NULL REFERENCES asset(n) ON DELETE CASCADE,
  PRIMARY KEY (tag, n)) WITHOUT ROWID;
CREATE INDEX asset_tag_of ON asset_tag(n);
CREATE VIRTUAL TABLE asset_words USING fts5(words, content='', tokenize='unicode61 remove_diacritics 2', prefix='1 2 3');
CREATE TABLE receipt (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, doc BLOB NOT NULL,
  body_sha256 TEXT NOT NULL, prev_sha256 TEXT NOT NULL);
CREATE TRIGGER receipt_kept BEFORE DELETE ON receipt BEGIN SELECT RAISE(ABORT, 'receipts are append-only'); END;
CREATE TABLE delivery (
  id TEXT PRIMARY KEY, asset_id TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL,
  attempts INTEGER NOT NULL, next_at REAL NOT NULL, error BLOB, UNIQUE (asset_id, target)) WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery(next_at) WHERE state = 'waiting';
CREATE TABLE refusal (
  id TEXT PRIMARY KEY, at REAL NOT NULL, door TEXT NOT NULL, rule TEXT NOT NULL, policy TEXT NOT NULL,
  salted BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE model (name TEXT PRIMARY KEY, path TEXT NOT NULL, added_at REAL NOT NULL, last_used_at REAL)
  WITHOUT ROWID;
CREATE TABLE model_hash (path TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID;
"""

_LINE: Final = """
ALTER TABLE job ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN claimed_at REAL;
UPDATE job SET model = coalesce(json_extract(CAST(request AS TEXT), '$.model'), '');
DROP INDEX job_claim;
CREATE INDEX job_by_model ON job(model, id);
CREATE INDEX job_ended ON job(finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX job_retries ON job(retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX event_of_job ON event(job_id) WHERE job_id IS NOT NULL;
DROP TRIGGER job_recounted;
CREATE TRIGGER job_recounted AFTER UPDATE OF state, lane ON job
  WHEN old.state <> new.state OR old.lane <> new.lane BEGIN
  UPDATE tally SET count = count - 1 WHERE state = old.state AND lane = old.lane;
  INSERT INTO tally VALUES (new.state, new.lane, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER job_uncounted AFTER DELETE ON job BEGIN
  UPDATE tally SET count = count - 1 WHERE state = old.state AND lane = old.lane;
END;
-- The line: a small row for each queued job. `place`: seconds on the lane's clock. `fixed`: a person put it there.
CREATE TABLE waiting (
  job_id TEXT PRIMARY KEY REFERENCES job(id), lane_rank INTEGER NOT NULL, line TEXT NOT NULL, model TEXT NOT NULL,
  work REAL NOT NULL, place REAL NOT NULL, fixed INTEGER NOT NULL, passed_at REAL) WITHOUT ROWID;
CREATE INDEX waiting_first ON waiting(lane_rank, place, job_id, model, work);
CREATE INDEX waiting_warm ON waiting(lane_rank, model, place, job_id) WHERE fixed = 0;
CREATE INDEX waiting_passed ON waiting(lane_rank, passed_at) WHERE passed_at IS NOT NULL;
CREATE INDEX waiting_line ON waiting(line, lane_rank, place, job_id);
-- What each client has waiting and was served, by lane. `stale`: its places have to be reckoned anew.
CREATE TABLE share (
  lane_rank INTEGER NOT NULL, line TEXT NOT NULL, waiting INTEGER NOT NULL, served REAL NOT NULL,
  stale INTEGER NOT NULL, PRIMARY KEY (lane_rank, line)) WITHOUT ROWID;
CREATE TRIGGER waiting_more AFTER INSERT ON waiting BEGIN
  INSERT INTO share VALUES (new.lane_rank, new.line, 1, 0, 0) ON CONFLICT DO UPDATE SET waiting = waiting + 1;
END;
CREATE TRIGGER waiting_less AFTER DELETE ON waiting BEGIN
  UPDATE share SET waiting = waiting - 1 WHERE lane_rank = old.lane_rank AND line = old.line;
END;
CREATE TABLE lane_clock (lane_rank INTEGER PRIMARY KEY, at REAL NOT NULL);
INSERT INTO lane_clock VALUES (0, 0), (1, 0), (2, 0);
CREATE TABLE pace (
  model TEXT PRIMARY KEY, work REAL NOT NULL, seconds REAL NOT NULL, jobs REAL NOT NULL, assumed REAL) WITHOUT ROWID;
INSERT INTO waiting SELECT id, lane_rank, 'local', model, 1, row_number() OVER (ORDER BY id), 0, NULL
  FROM job WHERE state = 'queued';
"""
"""What waited before there were clients stands in one line, in the order in which it came."""

_PULLS: Final = """
CREATE TABLE pull (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, key TEXT NOT NULL, repo TEXT NOT NULL, doc BLOB NOT NULL, plan BLOB)
  WITHOUT ROWID;
-- One of a kind at a time: whoever asks for the same again gets the one there is.
CREATE UNIQUE INDEX pull_open ON pull(key) WHERE state NOT IN ('succeeded', 'cancelled');
CREATE INDEX pull_by_state ON pull(state, id);
"""

_MODEL_FILES: Final = """
-- Single files: those that were added where they are, and (path null) those in our own folders once they were used.
CREATE TABLE model_file (
  kind TEXT NOT NULL, name TEXT NOT NULL, path TEXT, added_at REAL NOT NULL, last_used_at REAL,
  PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""

_OWN: Final = """
-- Which files are ours to begin from: written with their receipt, `mac` under the boundary's key (see library.own).
CREATE TABLE own (
  asset_id TEXT PRIMARY KEY, receipt_id TEXT NOT NULL, sha256 TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO own SELECT json_extract(made.value, '$.asset_id'), receipt.id,
  json_extract(made.value, '$.sha256'), x'' FROM receipt, json_each(CAST(receipt.doc AS TEXT), '$.made') AS made;
-- The key isn't here. The next start seals them, once.
INSERT INTO setting SELECT 'own_to_seal', CAST('true' AS BLOB) WHERE EXISTS (SELECT 1 FROM own);
ALTER TABLE refusal ADD COLUMN category TEXT NOT NULL DEFAULT '';
UPDATE refusal SET category = substr(rule, 1, instr(rule || '.', '.') - 1);
"""

_RECEIPTS: Final = """
-- A receipt stays as it was written. Its body may be erased, never exchanged for another.
ALTER TABLE receipt ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER receipt_fixed BEFORE UPDATE OF n, id, job_id, body_sha256, prev_sha256 ON receipt
  BEGIN SELECT RAISE(ABORT, 'receipts are append-only'); END;
CREATE TRIGGER receipt_erased BEFORE UPDATE OF doc, erased ON receipt WHEN new.erased <> 1 OR old.erased = 1
  BEGIN SELECT RAISE(ABORT, 'a receipt can only be erased'); END;
"""

_MONEY: Final = """
CREATE TABLE quote (
  id TEXT PRIMARY KEY, token_id TEXT NOT NULL, made_at REAL NOT NULL, expires_at REAL NOT NULL, digest TEXT NOT NULL,
  doc BLOB NOT NULL, job BLOB NOT NULL, used_by TEXT) WITHOUT ROWID;
CREATE INDEX quote_unused ON quote(expires_at) WHERE used_by IS NULL;
-- A clip's way through a provider; what it costs is in the ledger alone.
CREATE TABLE clip (
  job_id TEXT PRIMARY KEY, quote_id TEXT NOT NULL UNIQUE, provider TEXT NOT NULL, phase TEXT NOT NULL,
  unwanted INTEGER NOT NULL, quoted_mcr INTEGER NOT NULL, remote_id TEXT, request_id TEXT, said_mcr INTEGER,
  sent_at REAL, sha256 TEXT, bytes INTEGER, shot_id TEXT) WITHOUT ROWID;
CREATE INDEX clip_open ON clip(provider, phase, job_id)
  WHERE phase NOT IN ('settled', 'refused', 'rejected', 'failed', 'expired', 'withheld', 'cancelled', 'abandoned');
CREATE UNIQUE INDEX clip_remote ON clip(provider, remote_id) WHERE remote_id IS NOT NULL;
CREATE TABLE clip_step (
  n INTEGER PRIMARY KEY, job_id TEXT NOT NULL, at REAL NOT NULL, was TEXT NOT NULL, phase TEXT NOT NULL,
  event TEXT NOT NULL, detail BLOB NOT NULL);
CREATE INDEX clip_step_of ON clip_step(job_id, n);
CREATE TABLE ledger (
  n INTEGER PRIMARY KEY, at TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL, debit TEXT NOT NULL,
  credit TEXT NOT NULL, mcr INTEGER NOT NULL CHECK (mcr >= 0), provider TEXT NOT NULL, job_id TEXT, token_id TEXT,
  door TEXT, basis TEXT, note TEXT NOT NULL, prev_sha256 TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL UNIQUE,
  CHECK (debit <> credit));
CREATE UNIQUE INDEX ledger_once ON ledger(job_id, kind) WHERE kind IN ('hold', 'settle', 'unsure');
CREATE INDEX ledger_of_job ON ledger(job_id, n) WHERE job_id IS NOT NULL;
CREATE INDEX ledger_day ON ledger(day);
CREATE TRIGGER ledger_kept BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
CREATE TRIGGER ledger_fixed BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
CREATE TABLE cap (name TEXT PRIMARY KEY, mcr INTEGER NOT NULL CHECK (mcr >= 0)) WITHOUT ROWID;
CREATE TABLE token (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes BLOB NOT NULL, sha256 BLOB NOT NULL UNIQUE, created_at REAL NOT NULL,
  revoked_at REAL) WITHOUT ROWID;
"""

_SHOTS: Final = """
CREATE TABLE shot (id TEXT PRIMARY KEY, doc BLOB NOT NULL) WITHOUT ROWID;
-- A row from the quote on; `n` and `job_id` once it was paid for.
CREATE TABLE take (
  id TEXT PRIMARY KEY, shot_id TEXT NOT NULL REFERENCES shot(id), quote_id TEXT NOT NULL UNIQUE, n INTEGER, job_id TEXT,
  doc BLOB NOT NULL, UNIQUE (shot_id, n)) WITHOUT ROWID;
"""


def _run(connection: sqlite3.Connection, script: str) -> None:
    # executescript would commit on its own; the statements go one by one inside our transaction.
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


MIGRATIONS: Final[list[tuple[str, Callable[[sqlite3.Connection], None]]]] = [
    ("0001-spine", lambda connection: _run(connection, _SPINE)),
    ("0002-line", lambda connection: _run(connection, _LINE)),
    ("0003-pulls", lambda connection: _run(connection, _PULLS)),
    ("0004-model-files", lambda connection: _run(connection, _MODEL_FILES)),
    ("0005-own", lambda connection: _run(connection, _OWN)),
    ("0006-receipts-erased", lambda connection: _run(connection, _RECEIPTS)),
    ("0007-money", lambda connection: _run(connection, _MONEY)),
    ("0008-shots", lambda connection: _run(connection, _SHOTS)),
]


def migrate(connection: sqlite3.Connection, path: Path, clock: Clock) -> None:
    """Bring the file up to date. Raises StoreBroken for one that a newer version wrote."""
    connection.execute("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID")
    done = {str(row[0]) for row in connection.execute("SELECT name FROM migration")}
    if newer := done - {name for name, _ in MIGRATIONS}:
        raise StoreBroken("newer", file=str(path), migration=min(newer))
    pending = [(name, step) for name, step in MIGRATIONS if name not in done]
    if pending and done:
        _backup(connection, path, rfc3339(clock.now()))
    for name, step in pending:
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(connection)
            connection.execute("INSERT INTO migration VALUES (?, ?)", (name, clock.now()))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _backup(connection: sqlite3.Connection, path: Path, stamp: str) -> None:
    target = sqlite3.connect(path.with_name(f"{path.stem}-before-{stamp.replace(':', '')}.db"))
    try:
        connection.backup(target)
    finally:
        target.close()
