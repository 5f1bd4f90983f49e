-- Never edited once released: a change is a new numbered file.
-- `head` is one row: the end of the chain, how many records stand where, and up to which seq ids are filed in `known`.

CREATE TABLE head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    seq      INTEGER NOT NULL,
    hash     TEXT    NOT NULL,
    waiting  INTEGER NOT NULL CHECK (waiting  >= 0),
    batched  INTEGER NOT NULL CHECK (batched  >= 0),
    accepted INTEGER NOT NULL CHECK (accepted >= 0),
    refused  INTEGER NOT NULL CHECK (refused  >= 0),
    filed    INTEGER NOT NULL CHECK (filed    >= 0),
    is_clean INTEGER NOT NULL CHECK (is_clean IN (0, 1))
) STRICT;

INSERT INTO head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0, 0, 0, 0, 0, 1);

-- Written once, never updated: what changes stands beside it, so that a settled batch rewrites narrow rows only.
CREATE TABLE record (
    seq       INTEGER PRIMARY KEY,
    record_id TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    bytes     BLOB    NOT NULL
) STRICT;

CREATE INDEX record_by_type ON record (type) WHERE type <> 'reading';

-- state: 0 waiting, 1 batched, 2 accepted, 3 refused. is_lasting: never purged (devices, assignments, enrolments, setups).
CREATE TABLE standing (
    seq         INTEGER PRIMARY KEY REFERENCES record ON DELETE CASCADE,
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    received_ms INTEGER NOT NULL,
    settled_ms  INTEGER,
    is_lasting  INTEGER NOT NULL CHECK (is_lasting IN (0, 1)),
    id_key      INTEGER NOT NULL
) STRICT;

CREATE INDEX waiting ON standing (state) WHERE state = 0;
CREATE INDEX history ON standing (received_ms) WHERE state = 2 AND is_lasting = 0;

-- The first 32 bits of BLAKE2b of a record id, to its seq; see buffer/known.py.
CREATE TABLE known (
    id_key INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (id_key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE refused (
    seq    INTEGER PRIMARY KEY REFERENCES standing ON DELETE CASCADE,
    reason TEXT NOT NULL
) STRICT;

-- `seqs` is a JSON list: read with json_each, in ascending order.
CREATE TABLE batch (
    batch_id  TEXT    PRIMARY KEY,
    seq_first INTEGER NOT NULL,
    made_ms   INTEGER NOT NULL,
    hub       BLOB    NOT NULL,
    seqs      TEXT    NOT NULL
) STRICT;

CREATE INDEX batch_in_order ON batch (seq_first);

-- Events that carry neither number nor time: an equal key heard before until_ms is the same event.
CREATE TABLE once (
    key      TEXT    PRIMARY KEY,
    heard_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX once_by_end ON once (until_ms);
