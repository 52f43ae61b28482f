-- +goose Up

-- Group calls, ended ones too: their ids are not used again. Participants are
-- not kept. state: call.State, 1 scheduled, 2 active, 3 discarded.
CREATE TABLE calls (
    id            BIGINT PRIMARY KEY,
    chat_kind     INTEGER NOT NULL,
    chat_id       BIGINT NOT NULL,
    broadcast     BOOLEAN NOT NULL,
    creator       BIGINT NOT NULL,
    state         INTEGER NOT NULL,
    title         TEXT NOT NULL,
    schedule_date BIGINT NOT NULL,
    start_date    BIGINT NOT NULL,
    end_date      BIGINT NOT NULL,
    join_muted    BOOLEAN NOT NULL,
    video_limit   INTEGER NOT NULL,
    invite_hash   TEXT NOT NULL,
    random_id     INTEGER NOT NULL, -- 0: none
    ceiling       INTEGER NOT NULL  -- no version above it was ever told
);
CREATE UNIQUE INDEX calls_chat ON calls (chat_kind, chat_id) WHERE state < 3;
CREATE UNIQUE INDEX calls_random ON calls (creator, chat_kind, chat_id, random_id) WHERE random_id <> 0;

-- Users who want to hear of the start of a scheduled call.
CREATE TABLE call_subscribers (
    call_id BIGINT NOT NULL REFERENCES calls (id),
    user_id BIGINT NOT NULL,
    PRIMARY KEY (call_id, user_id)
);
