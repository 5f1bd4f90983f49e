-- The backend's tables, version 1 (PRAGMA user_version). STRICT: a wrong type is an error, not a surprise.
-- Times end in _ms: milliseconds since 1970, UTC, by the backend's clock.

CREATE TABLE hub (
    hub           TEXT PRIMARY KEY,
    site          TEXT NOT NULL,
    software      TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each link of a hub's chain. `body` is the record's canonical JSON, whole.
-- The columns after it repeat the body of a reading, for the day ledger; of an enrolment, patient and program.
CREATE TABLE record (
    hub        TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    record_id  TEXT NOT NULL,
    type       TEXT NOT NULL,
    prev       TEXT NOT NULL,
    hash       TEXT NOT NULL,
    body       TEXT NOT NULL,
    arrived_ms INTEGER NOT NULL,
    patient    TEXT,
    program    TEXT,     -- RPM or RTM
    date       TEXT,     -- local_date; for a reading without one, the UTC date of arrival at the hub
    dated      INTEGER,  -- whether `date` is the local_date
    counts     INTEGER,  -- qualifies, and captured by a device where its program asks for that
    manual     INTEGER,
    reason     TEXT,
    corrects   TEXT,     -- record_id of the reading this one replaces
    PRIMARY KEY (hub, seq)
) STRICT;
CREATE INDEX record_by_id ON record (record_id);
CREATE INDEX record_by_day ON record (patient, date) WHERE patient IS NOT NULL;
CREATE INDEX record_by_corrected ON record (corrects) WHERE corrects IS NOT NULL;

-- Unbroken stretches of each chain, both ends included; every link inside was checked against the one before it.
CREATE TABLE span (
    hub   TEXT NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (hub, first)
) STRICT, WITHOUT ROWID;

-- Ranges that were asked for. A gap inherits from every row it overlaps; rows go when the hub has no gap left.
CREATE TABLE asked (
    hub     TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    times   INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    PRIMARY KEY (hub, first, last)
) STRICT, WITHOUT ROWID;

-- What was refused, for people; the record itself stays on the hub.
CREATE TABLE refusal (
    id        INTEGER PRIMARY KEY,
    hub       TEXT NOT NULL,
    record_id TEXT NOT NULL,
    seq       INTEGER,
    reason    TEXT NOT NULL,
    at_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX refusal_by_hub ON refusal (hub, id);

-- Answers given, so that a retry with the same key hears the same.
CREATE TABLE answer (
    hub         TEXT NOT NULL,
    batch_id    TEXT NOT NULL,
    body_sha256 BLOB NOT NULL,
    answer      BLOB NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (hub, batch_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_by_time ON answer (at_ms);
