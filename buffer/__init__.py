"""
The buffer: what the hub has promised to keep.

Constraints
-----------
1. "Yes" is said after COMMIT returned, under journal_mode=WAL and synchronous=FULL, and never before.
2. One process (flock on `<path>.lock`), one thread and one connection write and copy the log back; readers have a
   connection that cannot write, and short transactions. The command and the console ask the daemon, not the file.
3. A record is written once and never changed. Its bytes are canonical JSON, and go out as they are.
4. `seq` has no gap and `prev` is the hash of the record before, across restarts, purges and quarantine: the end of the
   chain is kept in `head`, apart from the records.
5. A batch is stored before it is sent. Until it is settled or split it has the same id, header and bytes.
6. Only what the backend accepted is ever deleted: when retention is over, or oldest first where there is no room.
   Devices, assignments, enrolments and setups stay. Waiting, batched and refused records are never deleted.
7. Everything has a limit: the inbox (`writer.INBOX_MAX`), a group (`writer.GROUP_DRAFTS_MAX`), the log
   (`space.LOG_MAX_BYTES`), the file (`size_max_bytes`). Beyond a limit StoreFull is raised and nothing is kept.

Tables (`schema/*.sql`, STRICT; the file is SQLCipher's, each page with its own HMAC)
-------------------------------------------------------------------------------------
    head      one row: the end of the chain, how many records stand where, whether the last run closed the file
    record    seq, record_id, type, bytes: never updated
    standing  seq, state, received_ms, settled_ms, is_lasting, id_key: all that changes, in rows of 20 bytes, so that
              settling 200 records writes a page or two and not the records again
    known     id_key, seq: filed thousands at a time (`known.py`)
    refused   seq, reason
    batch     batch_id, seq_first, made_ms, hub, seqs
    once      the repeats of events that carry neither number nor time

    waiting -> batched -> accepted -> (purged)       accepted -> waiting   the backend misses it
                  +--> refused                       refused  -> waiting   a person retries it
                  +--> waiting                        no word on it

Writing (`writer.py`)
---------------------
While one COMMIT waits for the disk, later work queues and shares the next. A group that fails is rolled back whole and
its members are tried alone. After the disk itself failed nothing more is written: the daemon leaves with exit 74.

| the power fails                             | after the restart                                                     |
|---------------------------------------------|-----------------------------------------------------------------------|
| before COMMIT                               | nothing kept, nothing acknowledged: the source still has it           |
| after COMMIT, before the acknowledgement    | kept; sent again by the source; same record id, one record            |
| after the batch is stored, before the POST  | same bytes, same key, sent                                            |
| after the POST, before the answer is stored | same bytes, same key; the backend knows the key and the record ids    |
| after the answer is stored                  | settled; purged when old, or when space is short                      |
| while the log is copied back                | SQLite copies it again: the log is cut only after the file was synced |
| while ids are filed                         | the slice is filed again; unfiled ids are found in `standing`         |

Opening (`recovery.py`)
-----------------------
SQLite replays at most `LOG_MAX_BYTES` and a group. If the last run did not close the file, the last records are checked
before the store opens, and all of them in the background; with a million records the start takes as long as with none.
Damage at the end, or where the writer met it, moves the file and its log to `quarantine/`, and a new file continues the
numbers; damage elsewhere is told in `Stats.damage` and on the ledger, and the rest is served.

No room (`space.py`)
--------------------
Appends are refused some pages before the hard cap, so that settling always has room. On a full disk the headroom file
beside the database is given up, so that settling and purging can write; appends are refused until it is there again.

What this does not withstand: a disk that says "synced" and lies, and a thief who has the key as well as the card.
"""
