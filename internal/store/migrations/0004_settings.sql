-- +goose Up

-- What the server has to remember about itself. secret: a fingerprint of the
-- secret that this database's keys, tokens and access hashes are derived from.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);
