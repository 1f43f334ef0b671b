-- Entries that are kept apart: past the cut of a removal, in no view, for an admin to accept. As with
-- views, what is here follows from the logs and is made anew with them.
CREATE TABLE quarantine (
    at INTEGER PRIMARY KEY
);
