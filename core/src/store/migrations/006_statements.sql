-- A device that was copied signs as two phones, each from a data log of its own; so does one that
-- opened a new log. The last statement of each log is kept.
ALTER TABLE ack RENAME TO ack_of_device;
CREATE TABLE ack (
    device    BLOB NOT NULL,
    log       BLOB NOT NULL,
    counter   INTEGER NOT NULL,
    vector    BLOB NOT NULL,
    signature BLOB NOT NULL,
    met_ms    INTEGER NOT NULL,
    PRIMARY KEY (device, log)
) WITHOUT ROWID;
INSERT INTO ack SELECT device, log, counter, vector, signature, met_ms FROM ack_of_device;
DROP TABLE ack_of_device;
