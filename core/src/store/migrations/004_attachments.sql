-- Sealed chunks of photos, whole. `relayed` says that the relay has it.
-- A chunk checks itself against its hash whenever it is read.
CREATE TABLE chunk (
    no      INTEGER PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,
    relayed INTEGER NOT NULL DEFAULT 0,
    bytes   BLOB NOT NULL
);
CREATE INDEX chunk_to_relay ON chunk (hash) WHERE relayed = 0;

-- Which chunks the photos of records name; made from the views' rows, and anew with them.
-- `size` is that of the whole photo, `here` whether the chunk is in this store.
CREATE TABLE named (
    kind  INTEGER NOT NULL,
    rid   INTEGER NOT NULL,
    key   BLOB NOT NULL,
    place INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    size  INTEGER NOT NULL,
    here  INTEGER NOT NULL,
    PRIMARY KEY (kind, rid, key, place)
) WITHOUT ROWID;
CREATE INDEX named_hash ON named (hash);
CREATE INDEX named_missing ON named (size, kind, rid, key, place, hash) WHERE here = 0;
