-- +goose Up

-- Users whom an admin muted in a call that goes on: coming back does not help.
CREATE TABLE call_silenced (
    call_id BIGINT NOT NULL REFERENCES calls (id),
    user_id BIGINT NOT NULL,
    PRIMARY KEY (call_id, user_id)
);
