-- Invitations that this device gave out, so that inviting and admitting may be calls hours apart.
-- `bound` is the request that came first, `reveal` what it was answered with.
CREATE TABLE invitation (
    id         BLOB PRIMARY KEY,
    secret     BLOB NOT NULL,
    nonce      BLOB NOT NULL,
    role       INTEGER NOT NULL,
    rights     INTEGER NOT NULL,
    person     BLOB,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    bound      BLOB,
    reveal     BLOB
) WITHOUT ROWID;
