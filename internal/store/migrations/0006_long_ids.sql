-- +goose Up
-- Bots make a channel's id by writing -100 before it, which is right for ids of ten digits only.
UPDATE sequences SET value = 1000000000 WHERE name = 'peer' AND value < 1000000000;
