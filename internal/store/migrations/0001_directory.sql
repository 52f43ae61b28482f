-- +goose Up

-- Ids of users, chats and channels: one sequence, below 2^31 for old layers.
CREATE TABLE sequences (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL -- the last one given out
);
INSERT INTO sequences (name, value) VALUES ('peer', 1000000);

-- Permanent MTProto auth keys; value is sealed with the server's secret.
CREATE TABLE auth_keys (
    id      BIGINT PRIMARY KEY,
    value   BLOB NOT NULL,
    salt    BIGINT NOT NULL,
    layer   INTEGER NOT NULL, -- last declared, 0 = never
    dc      INTEGER NOT NULL, -- the data centre the client dialled, 0 = unknown
    created BIGINT NOT NULL
);

CREATE TABLE users (
    id         BIGINT PRIMARY KEY,
    bot        BOOLEAN NOT NULL DEFAULT FALSE,
    phone      TEXT UNIQUE, -- digits; NULL for bots and the service account
    token_hash BLOB UNIQUE, -- SHA-256 of a bot's token
    first_name TEXT NOT NULL,
    last_name  TEXT NOT NULL DEFAULT '',
    about      TEXT NOT NULL DEFAULT '',
    created    BIGINT NOT NULL
);
INSERT INTO users (id, first_name, created) VALUES (777000, 'Parley', 0);

-- Who is signed in with which key: an auth key or a token of the JSON gateway.
CREATE TABLE authorizations (
    key_id  BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    created BIGINT NOT NULL,
    device  TEXT NOT NULL
);
CREATE INDEX authorizations_user ON authorizations (user_id);

CREATE TABLE contacts (
    owner_id   BIGINT NOT NULL REFERENCES users (id),
    user_id    BIGINT NOT NULL REFERENCES users (id),
    first_name TEXT NOT NULL,
    last_name  TEXT NOT NULL,
    PRIMARY KEY (owner_id, user_id)
);
CREATE INDEX contacts_user ON contacts (user_id);

-- Basic groups, supergroups and channels. kind: peer.Chat or peer.Channel.
CREATE TABLE chats (
    id            BIGINT PRIMARY KEY,
    kind          INTEGER NOT NULL,
    broadcast     BOOLEAN NOT NULL DEFAULT FALSE,
    title         TEXT NOT NULL,
    about         TEXT NOT NULL DEFAULT '',
    creator_id    BIGINT NOT NULL REFERENCES users (id),
    created       BIGINT NOT NULL,
    version       INTEGER NOT NULL DEFAULT 1, -- of a basic group's member list
    members       INTEGER NOT NULL DEFAULT 0, -- how many are in it
    banned_rights BIGINT NOT NULL DEFAULT 0,  -- bits of chatBannedRights for all
    deleted       BOOLEAN NOT NULL DEFAULT FALSE
);

-- A username belongs to one user or channel; name is lower case.
CREATE TABLE usernames (
    name    TEXT PRIMARY KEY,
    display TEXT NOT NULL,
    kind    INTEGER NOT NULL,
    id      BIGINT NOT NULL,
    UNIQUE (kind, id)
);

-- status: 1 member, 2 left, 3 kicked. Who left keeps the row, and with it the bans.
CREATE TABLE members (
    chat_id       BIGINT NOT NULL REFERENCES chats (id),
    user_id       BIGINT NOT NULL REFERENCES users (id),
    status        INTEGER NOT NULL,
    joined        BIGINT NOT NULL,
    inviter_id    BIGINT NOT NULL DEFAULT 0,
    admin         BOOLEAN NOT NULL DEFAULT FALSE,
    admin_rights  BIGINT NOT NULL DEFAULT 0, -- bits of chatAdminRights
    promoter_id   BIGINT NOT NULL DEFAULT 0,
    rank          TEXT NOT NULL DEFAULT '',
    banned_rights BIGINT NOT NULL DEFAULT 0, -- bits of chatBannedRights
    banned_until  BIGINT NOT NULL DEFAULT 0, -- 0 = for ever
    banner_id     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (chat_id, user_id)
);
CREATE INDEX members_user ON members (user_id, status);
CREATE INDEX members_recent ON members (chat_id, status, joined);

CREATE TABLE invites (
    hash       TEXT PRIMARY KEY,
    chat_id    BIGINT NOT NULL REFERENCES chats (id),
    creator_id BIGINT NOT NULL REFERENCES users (id),
    created    BIGINT NOT NULL,
    revoked    BOOLEAN NOT NULL DEFAULT FALSE,
    expires    BIGINT NOT NULL DEFAULT 0,  -- 0 = never
    max_usage  INTEGER NOT NULL DEFAULT 0, -- 0 = unlimited
    usage      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX invites_chat ON invites (chat_id, creator_id);

-- Whom a user joins the calls of a chat as.
CREATE TABLE default_join_as (
    user_id   BIGINT NOT NULL REFERENCES users (id),
    chat_id   BIGINT NOT NULL REFERENCES chats (id),
    peer_kind INTEGER NOT NULL,
    peer_id   BIGINT NOT NULL,
    PRIMARY KEY (user_id, chat_id)
);
