-- The truth of a phone: logs, entries, seals, keys. Views are made from the declarations and can
-- be dropped and rebuilt from what is here.
-- A column `whole` is the last of a row that may be long, and the same in all: where the last page
-- of a row was wiped, SQLCipher hands out zeros for it and no error.
-- Row numbers of entries, segments, runs and seals are `log.no << 40 | seq`.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB
) WITHOUT ROWID;

-- One row per log. `next`, `link` and `heads` are those after the last entry that was verified
-- without a gap; for the own log they may lag behind `entry`, which is replayed at open.
CREATE TABLE log (
    no     INTEGER PRIMARY KEY,
    id     BLOB NOT NULL UNIQUE,
    device BLOB NOT NULL,
    nonce  BLOB NOT NULL,
    sort   INTEGER NOT NULL,
    next   INTEGER NOT NULL,
    link   BLOB NOT NULL,
    heads  BLOB NOT NULL
);

-- The newest entries of the own log, one row each: a tap writes here, with the request that it
-- answers, its record and the caller's note of what became of it.
CREATE TABLE entry (
    at      INTEGER PRIMARY KEY,
    bytes   BLOB NOT NULL,
    request BLOB,
    record  BLOB,
    note    INTEGER,
    whole   INTEGER NOT NULL DEFAULT 90
);

-- Runs of entries, compressed together; `link` and `heads` are those before the first.
CREATE TABLE segment (
    at    INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    link  BLOB NOT NULL,
    heads BLOB NOT NULL,
    body  BLOB NOT NULL
);

CREATE TABLE seal (
    at   INTEGER PRIMARY KEY,
    link BLOB NOT NULL,
    seal BLOB NOT NULL
);

CREATE TABLE run (
    at    INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    salts BLOB NOT NULL
);

-- Items that wait for another one: the place they wait for, and their own.
CREATE TABLE pending (
    dep_log   BLOB NOT NULL,
    dep_seq   INTEGER NOT NULL,
    dep_index INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    item      INTEGER NOT NULL,
    PRIMARY KEY (dep_log, dep_seq, dep_index, at, item)
) WITHOUT ROWID;

-- Items that cannot be read, and why; they stop only themselves.
CREATE TABLE damaged (
    at   INTEGER NOT NULL,
    item INTEGER NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (at, item)
) WITHOUT ROWID;

-- Digests whose content is absent: asked for elsewhere, not counted in the vector.
CREATE TABLE hole (
    at   INTEGER NOT NULL,
    item INTEGER NOT NULL,
    PRIMARY KEY (at, item)
) WITHOUT ROWID;

-- Items that no head of their record leads to, because they are over its bounds: merged again
-- with every change of the record, so that the order in which items came makes no difference.
CREATE TABLE aside (
    kind   INTEGER NOT NULL,
    record BLOB NOT NULL,
    at     INTEGER NOT NULL,
    item   INTEGER NOT NULL,
    PRIMARY KEY (kind, record, at, item)
) WITHOUT ROWID;

-- Packs that cannot be used yet, whole.
CREATE TABLE held (
    id     BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    bytes  BLOB NOT NULL
) WITHOUT ROWID;

-- The last acknowledgement of each device, and when it was last heard of it.
CREATE TABLE ack (
    device    BLOB PRIMARY KEY,
    log       BLOB NOT NULL,
    counter   INTEGER NOT NULL,
    vector    BLOB NOT NULL,
    signature BLOB NOT NULL,
    met_ms    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE epoch (
    id     BLOB PRIMARY KEY,
    secret BLOB NOT NULL
) WITHOUT ROWID;

-- Concurrent values: those that a person has to choose from, last-writer losers, and the sums
-- that counts are made of.
CREATE TABLE rival (
    kind  INTEGER NOT NULL,
    rid   INTEGER NOT NULL,
    field INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    value BLOB NOT NULL,
    hlc   INTEGER NOT NULL,
    log   BLOB NOT NULL,
    key   BLOB NOT NULL,
    whole INTEGER NOT NULL DEFAULT 90,
    PRIMARY KEY (kind, rid, field, n)
) WITHOUT ROWID;

-- Hubs that this phone meets, each named by its key. `listed` is how far its listing was read,
-- `acks` the digest of the acknowledgements that were fetched, `sent` that of the own one.
CREATE TABLE relay (
    no       INTEGER PRIMARY KEY,
    key      BLOB NOT NULL UNIQUE,
    instance BLOB NOT NULL,
    listed   INTEGER NOT NULL,
    acks     BLOB NOT NULL,
    sent     BLOB NOT NULL,
    token    BLOB,
    met_ms   INTEGER NOT NULL
);

-- What a hub lists, and what this phone knows of it: a claim, opened here, worthless, or waiting;
-- and the hub's signature under having received it.
CREATE TABLE relay_pack (
    relay   INTEGER NOT NULL,
    id      BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    ranges  BLOB NOT NULL,
    state   INTEGER NOT NULL,
    receipt BLOB,
    PRIMARY KEY (relay, id)
) WITHOUT ROWID;
