"""The tables, their migrations, and times as they stand in them.

People can read them by hand (`sqlite3 ledger.db 'select * from conversions'`): amounts are decimal
texts, exact to the last digit. Times are ISO 8601 in UTC, all of one width, so that they sort as
text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from sqlite3 import complete_statement
from typing import Final

from binance_dust.errors import ConfigurationError

APPLICATION_ID: Final = 0x64757374
"""Marks SQLite files of this package in their header: "dust"."""

OPEN_ONLY: Final = "status IN ('intended', 'unknown')"
"""The condition of the indexes of open entries. SQLite uses them for these very words only."""

_FIRST: Final = """
CREATE TABLE entries (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  account        TEXT NOT NULL,
  key_id         TEXT,
  kind           TEXT NOT NULL CHECK (kind IN ('dust', 'dust_convert', 'liabilities')),
  account_type   TEXT NOT NULL CHECK (account_type IN ('SPOT', 'MARGIN')),
  target         TEXT NOT NULL,
  status         TEXT NOT NULL CHECK (status IN ('intended', 'confirmed', 'rejected', 'unknown')),
  at             TEXT NOT NULL,
  client_id      TEXT,
  intended_at    TEXT,
  sent_after     TEXT,
  expires_at     TEXT,
  settled_at     TEXT,
  settled_by     TEXT CHECK (settled_by IN ('answer', 'reading', 'import', 'hand')),
  transaction_id INTEGER,
  code,
  reason         TEXT
);

CREATE TABLE asked (
  entry_id INTEGER NOT NULL REFERENCES entries (id),
  position INTEGER NOT NULL,
  asset    TEXT NOT NULL,
  held     TEXT,
  PRIMARY KEY (entry_id, position)
) WITHOUT ROWID;

CREATE TABLE lines (
  entry_id       INTEGER NOT NULL REFERENCES entries (id),
  position       INTEGER NOT NULL,
  asset          TEXT NOT NULL,
  amount         TEXT NOT NULL,
  gross          TEXT NOT NULL,
  fee            TEXT NOT NULL,
  net            TEXT NOT NULL,
  at             TEXT NOT NULL,
  transaction_id INTEGER,
  PRIMARY KEY (entry_id, position)
) WITHOUT ROWID;

CREATE TABLE claims (
  account TEXT NOT NULL,
  role    TEXT NOT NULL,
  holder  TEXT NOT NULL,
  until   TEXT NOT NULL,
  PRIMARY KEY (account, role)
) WITHOUT ROWID;

-- What keeps an account from converting twice at once, whatever the clocks say: while one call is
-- open, the next can't be written down, and what isn't written down isn't sent.
CREATE UNIQUE INDEX one_open_of_an_account ON entries (account)
  WHERE status IN ('intended', 'unknown');
CREATE UNIQUE INDEX one_open_of_a_key ON entries (key_id)
  WHERE status IN ('intended', 'unknown') AND key_id IS NOT NULL;

CREATE INDEX entries_by_account ON entries (account, at);
CREATE INDEX entries_by_time ON entries (at);
CREATE INDEX entries_by_transaction ON entries (transaction_id);
CREATE INDEX lines_by_transaction ON lines (transaction_id);

CREATE TRIGGER confirmed_is_final BEFORE UPDATE OF status ON entries
  WHEN OLD.status = 'confirmed' AND NEW.status <> 'confirmed'
BEGIN
  SELECT RAISE(ABORT, 'a confirmed entry is final');
END;
CREATE TRIGGER nothing_is_forgotten BEFORE DELETE ON entries
BEGIN
  SELECT RAISE(ABORT, 'entries are never deleted');
END;

CREATE VIEW conversions AS
  SELECT lines.at, entries.account, entries.account_type, lines.asset, lines.amount,
         entries.target, lines.gross, lines.fee, lines.net,
         coalesce(entries.transaction_id, lines.transaction_id) AS transaction_id,
         entries.kind, entries.id AS entry_id
  FROM lines JOIN entries ON entries.id = lines.entry_id
  WHERE entries.status = 'confirmed'
  ORDER BY lines.at, entries.id, lines.position;

CREATE VIEW open_entries AS
  SELECT entries.*,
         (SELECT group_concat(asset, ' ') FROM asked WHERE entry_id = entries.id) AS assets
  FROM entries WHERE status IN ('intended', 'unknown');
"""

_SECOND: Final = """
-- Up to where the exchange's own records have been read: where the next sync begins.
CREATE TABLE synced (
  account TEXT NOT NULL,
  source  TEXT NOT NULL CHECK (source IN ('SPOT', 'MARGIN', 'liabilities')),
  since   TEXT NOT NULL,
  until   TEXT NOT NULL,
  PRIMARY KEY (account, source)
) WITHOUT ROWID;

-- Times of which the exchange has more on record than it shows: what these books can't hold.
CREATE TABLE missing (
  account TEXT NOT NULL,
  source  TEXT NOT NULL CHECK (source IN ('SPOT', 'MARGIN', 'liabilities')),
  "start" TEXT NOT NULL,
  "end"   TEXT NOT NULL,
  shown   INTEGER NOT NULL,
  counted INTEGER,
  PRIMARY KEY (account, source, "start", "end")
) WITHOUT ROWID;
"""

_THIRD: Final = """
-- Whose books these are: a real exchange's, or of rehearsals on this machine. One row, or none yet.
CREATE TABLE books (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  whose    TEXT NOT NULL CHECK (whose IN ('real', 'local'))
) WITHOUT ROWID;
"""

_FOURTH: Final = """
-- The newest entries of one kind: what a cooldown is learnt from.
CREATE INDEX entries_by_kind ON entries (kind, account_type, at);
CREATE INDEX entries_by_account_and_kind ON entries (account, kind, account_type, at);

-- Claims with the file of the process that holds them, and when they were taken. Those that an
-- older version holds are dropped: while it has a call under way, its entry keeps others away.
DROP TABLE claims;
CREATE TABLE claims (
  account TEXT NOT NULL,
  role    TEXT NOT NULL,
  holder  TEXT NOT NULL,
  process TEXT,
  begun   TEXT NOT NULL,
  until   TEXT NOT NULL,
  PRIMARY KEY (account, role)
) WITHOUT ROWID;
"""

_FIFTH: Final = """
-- Accounts, with the exchange's number of each where it is known. The owner is the first name that
-- an account came with. Other names and other keys of the account have rows of their own.
CREATE TABLE accounts (
  owner TEXT PRIMARY KEY,
  uid   INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX accounts_by_uid ON accounts (uid);
CREATE TABLE names (
  name  TEXT PRIMARY KEY,
  owner TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE keys (
  key_id   TEXT PRIMARY KEY,
  owner    TEXT,
  uid      INTEGER,
  asked_at TEXT
) WITHOUT ROWID;

-- Until now a name was an account. Names that were used with one key are one account.
CREATE TEMP TABLE old_names AS
  SELECT account AS name, min(id) AS first FROM entries GROUP BY account;
INSERT INTO old_names SELECT account, NULL FROM synced
  WHERE account NOT IN (SELECT name FROM old_names) GROUP BY account;
INSERT INTO old_names SELECT account, NULL FROM missing
  WHERE account NOT IN (SELECT name FROM old_names) GROUP BY account;
CREATE TEMP TABLE old_keys AS
  SELECT DISTINCT account AS name, key_id FROM entries WHERE key_id IS NOT NULL;
INSERT INTO names
  WITH RECURSIVE reached (name, other) AS (
    SELECT name, name FROM old_names
    UNION
    SELECT reached.name, theirs.name FROM reached
      JOIN old_keys ours ON ours.name = reached.other
      JOIN old_keys theirs ON theirs.key_id = ours.key_id
  )
  SELECT name, other FROM (
    SELECT reached.name AS name, reached.other AS other, min(coalesce(old_names.first, 0))
    FROM reached JOIN old_names ON old_names.name = reached.other GROUP BY reached.name
  );
INSERT INTO accounts SELECT DISTINCT owner, NULL FROM names;
INSERT INTO keys SELECT DISTINCT old_keys.key_id, names.owner, NULL, NULL
  FROM old_keys JOIN names ON names.name = old_keys.name;
DROP TABLE old_names;
DROP TABLE old_keys;

ALTER TABLE entries ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE entries ADD COLUMN needs_resolve INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET owner = (SELECT names.owner FROM names WHERE names.name = entries.account);
UPDATE OR IGNORE synced
  SET account = (SELECT names.owner FROM names WHERE names.name = synced.account);
DELETE FROM synced WHERE account NOT IN (SELECT owner FROM accounts);
UPDATE OR IGNORE missing
  SET account = (SELECT names.owner FROM names WHERE names.name = missing.account);
DELETE FROM missing WHERE account NOT IN (SELECT owner FROM accounts);

DROP INDEX entries_by_account;
DROP INDEX entries_by_account_and_kind;
CREATE INDEX entries_by_owner ON entries (owner, at);
CREATE INDEX entries_by_owner_and_kind ON entries (owner, kind, account_type, at);

-- One open call for each of an account's scopes: the dust of a wallet, or its debts. Their calls
-- move different funds. It is checked when a call is written down, and not by a unique index: two
-- names, each with an open call, may turn out to be one account.
DROP INDEX one_open_of_an_account;
DROP INDEX one_open_of_a_key;
CREATE INDEX open_by_owner ON entries (owner) WHERE status IN ('intended', 'unknown');
CREATE INDEX open_by_key ON entries (key_id)
  WHERE status IN ('intended', 'unknown') AND key_id IS NOT NULL;
CREATE TRIGGER one_open_call BEFORE INSERT ON entries
  WHEN NEW.status IN ('intended', 'unknown') AND EXISTS (
    SELECT 1 FROM entries
    WHERE status IN ('intended', 'unknown') AND (owner = NEW.owner OR key_id = NEW.key_id)
      AND account_type = NEW.account_type
      AND (kind = 'liabilities') = (NEW.kind = 'liabilities')
  )
BEGIN
  SELECT RAISE(ABORT, 'another call of this account is open');
END;

-- What the exchange answered is final. What was read in its log gives way to the sender's own
-- answer, and an imported record may turn out to be the record of a call of ours.
DROP TRIGGER confirmed_is_final;
CREATE TRIGGER confirmed_is_final BEFORE UPDATE OF status ON entries
  WHEN OLD.status = 'confirmed' AND NEW.status <> 'confirmed'
    AND NOT (OLD.intended_at IS NULL
      AND coalesce(NEW.reason, '') LIKE 'the same record as entry %')
    AND NOT (OLD.settled_by IS NOT 'answer'
      AND (NEW.settled_by IS 'answer'
        OR coalesce(NEW.reason, '') LIKE 'its record turned out to be %'))
BEGIN
  SELECT RAISE(ABORT, 'a confirmed entry is final');
END;
"""

_SIXTH: Final = """
-- Three more kinds of calls: transfers, sales, repayments. The condition of a column can't be
-- changed, so the table is made anew; what refers to it is checked at the end of the transaction.
PRAGMA defer_foreign_keys = ON;
CREATE TEMP TABLE old_entries AS SELECT * FROM entries;
DROP VIEW conversions;
DROP TABLE entries;
CREATE TABLE entries (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  account        TEXT NOT NULL,
  key_id         TEXT,
  kind           TEXT NOT NULL CHECK (kind IN
                 ('dust', 'dust_convert', 'liabilities', 'transfer', 'sale', 'repayment')),
  account_type   TEXT NOT NULL CHECK (account_type IN ('SPOT', 'MARGIN')),
  target         TEXT NOT NULL,
  status         TEXT NOT NULL CHECK (status IN ('intended', 'confirmed', 'rejected', 'unknown')),
  at             TEXT NOT NULL,
  client_id      TEXT,
  intended_at    TEXT,
  sent_after     TEXT,
  expires_at     TEXT,
  settled_at     TEXT,
  settled_by     TEXT CHECK (settled_by IN ('answer', 'reading', 'import', 'hand')),
  transaction_id INTEGER,
  code,
  reason         TEXT,
  owner          TEXT NOT NULL DEFAULT '',
  needs_resolve  INTEGER NOT NULL DEFAULT 0
);
INSERT INTO entries SELECT * FROM old_entries;
DROP TABLE old_entries;

-- How much was asked for, where a call says it.
ALTER TABLE asked ADD COLUMN amount TEXT;

CREATE INDEX entries_by_time ON entries (at);
CREATE INDEX entries_by_transaction ON entries (transaction_id);
CREATE INDEX entries_by_kind ON entries (kind, account_type, at);
CREATE INDEX entries_by_owner ON entries (owner, at);
CREATE INDEX entries_by_owner_and_kind ON entries (owner, kind, account_type, at);
CREATE INDEX open_by_owner ON entries (owner) WHERE status IN ('intended', 'unknown');
CREATE INDEX open_by_key ON entries (key_id)
  WHERE status IN ('intended', 'unknown') AND key_id IS NOT NULL;

CREATE TRIGGER one_open_call BEFORE INSERT ON entries
  WHEN NEW.status IN ('intended', 'unknown') AND EXISTS (
    SELECT 1 FROM entries
    WHERE status IN ('intended', 'unknown') AND (owner = NEW.owner OR key_id = NEW.key_id)
      AND account_type = NEW.account_type
      AND (kind = 'transfer') = (NEW.kind = 'transfer')
      AND (kind IN ('liabilities', 'repayment')) = (NEW.kind IN ('liabilities', 'repayment'))
  )
BEGIN
  SELECT RAISE(ABORT, 'another call of this account is open');
END;
CREATE TRIGGER confirmed_is_final BEFORE UPDATE OF status ON entries
  WHEN OLD.status = 'confirmed' AND NEW.status <> 'confirmed'
    AND NOT (OLD.intended_at IS NULL
      AND coalesce(NEW.reason, '') LIKE 'the same record as entry %')
    AND NOT (OLD.settled_by IS NOT 'answer'
      AND (NEW.settled_by IS 'answer'
        OR coalesce(NEW.reason, '') LIKE 'its record turned out to be %'))
BEGIN
  SELECT RAISE(ABORT, 'a confirmed entry is final');
END;
CREATE TRIGGER nothing_is_forgotten BEFORE DELETE ON entries
BEGIN
  SELECT RAISE(ABORT, 'entries are never deleted');
END;

CREATE VIEW conversions AS
  SELECT lines.at, entries.account, entries.account_type, lines.asset, lines.amount,
         entries.target, lines.gross, lines.fee, lines.net,
         coalesce(entries.transaction_id, lines.transaction_id) AS transaction_id,
         entries.kind, entries.id AS entry_id
  FROM lines JOIN entries ON entries.id = lines.entry_id
  WHERE entries.status = 'confirmed' AND entries.kind NOT IN ('transfer', 'repayment')
  ORDER BY lines.at, entries.id, lines.position;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH)
"""Script number N migrates a ledger from version N to N+1. Append; never change one."""

VERSION: Final = len(MIGRATIONS)


def statements(script: str) -> list[str]:
    """Split a script into statements, so that all of them run in one transaction.

    `executescript` would commit the open transaction first.
    """
    found, text = [], ""
    for line in script.splitlines(keepends=True):
        text += line
        if complete_statement(text):
            found.append(text.strip())
            text = ""
    return found


def stamp(time: datetime) -> str:
    """Write a time as text of one width: `2026-11-21T12:00:00.123000Z`."""
    if not isinstance(time, datetime):
        raise TypeError(f"a time must be a datetime, not {type(time).__name__}")
    if time.utcoffset() is None:
        raise ConfigurationError(f"{time} has no time zone: give one, datetime(..., tzinfo=UTC)")
    try:
        time = time.astimezone(UTC)
    except OverflowError:  # in UTC it would be before year 1 or after year 9999
        raise ConfigurationError(f"{time} is out of range in UTC") from None
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def stamp_or_none(time: datetime | None) -> str | None:
    """Write a time, or `None`."""
    return None if time is None else stamp(time)


moment: Final = datetime.fromisoformat
"""Reads a time."""


def moment_or_none(text: str | None) -> datetime | None:
    """Read a time, or `None`."""
    return None if text is None else moment(text)
