-- +goose Up

-- A box numbers messages and counts their changes: one per user, for private
-- chats and basic groups, and one per channel. Kinds are peer.Kind; the box of
-- kind 0 counts posts, so that copies of one message know each other.
CREATE TABLE boxes (
    kind    INTEGER NOT NULL,
    owner   BIGINT NOT NULL,
    pts     INTEGER NOT NULL, -- of an untouched box: 1
    last_id INTEGER NOT NULL, -- of the newest message ever
    changed BIGINT NOT NULL,  -- date of the last change
    PRIMARY KEY (kind, owner)
);

CREATE TABLE messages (
    box_kind  INTEGER NOT NULL,
    box_id    BIGINT NOT NULL,
    id        INTEGER NOT NULL,
    pts       INTEGER NOT NULL,
    post      BIGINT NOT NULL,  -- the same for all copies; 0 in channels
    chat_kind INTEGER NOT NULL, -- seen from the box's owner
    chat_id   BIGINT NOT NULL,
    from_kind INTEGER NOT NULL, -- 0: the channel itself
    from_id   BIGINT NOT NULL,
    sender    BIGINT NOT NULL,
    outgoing  BOOLEAN NOT NULL,
    mentioned BOOLEAN NOT NULL,
    date      BIGINT NOT NULL,
    text      TEXT NOT NULL,
    action    BLOB,             -- boxed TL of a service message's action
    random_id BIGINT NOT NULL,
    PRIMARY KEY (box_kind, box_id, id)
);
CREATE INDEX messages_chat ON messages (box_kind, box_id, chat_kind, chat_id, id);
CREATE INDEX messages_post ON messages (post) WHERE post <> 0;
CREATE UNIQUE INDEX messages_random ON messages (sender, random_id, box_kind, box_id) WHERE random_id <> 0;

-- Every change of a box. kind: 1 message posted, 2 inbox read up to id,
-- 3 outbox read up to id.
CREATE TABLE changes (
    box_kind  INTEGER NOT NULL,
    box_id    BIGINT NOT NULL,
    pts       INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    chat_kind INTEGER NOT NULL,
    chat_id   BIGINT NOT NULL,
    id        INTEGER NOT NULL,
    PRIMARY KEY (box_kind, box_id, pts)
);

-- How far chats are read. Of private chats and basic groups there is a row
-- since the first message, of channels since the first reading.
CREATE TABLE dialogs (
    owner       BIGINT NOT NULL,
    kind        INTEGER NOT NULL,
    id          BIGINT NOT NULL,
    top         INTEGER NOT NULL DEFAULT 0, -- newest message; not kept for channels
    read_inbox  INTEGER NOT NULL DEFAULT 0,
    read_outbox INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, kind, id)
);
