package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"parley/internal/directory"
	"parley/internal/message"
	"parley/internal/peer"
)

// LoadChats returns the chats that exist, deleted ones included.
func (db *DB) LoadChats(ctx context.Context, ids []int64) ([]directory.Chat, error) {
	var all []directory.Chat
	for len(ids) > 0 {
		n := min(len(ids), maxIn)
		list, args := in(1, ids[:n])
		some, err := collect(ctx, db.read, scanChat, `
			SELECT c.kind, c.id, c.broadcast, c.title, c.about, COALESCE(n.display, ''), c.creator_id, c.created,
				c.version, c.members, c.banned_rights, c.deleted
			FROM chats c LEFT JOIN usernames n ON n.kind = c.kind AND n.id = c.id
			WHERE c.id IN `+list, args...)
		if err != nil {
			return nil, fmt.Errorf("select chats: %w", err)
		}
		all, ids = append(all, some...), ids[n:]
	}
	return all, nil
}

func scanChat(rows *sql.Rows) (c directory.Chat, err error) {
	err = rows.Scan(&c.ID.Kind, &c.ID.ID, &c.Broadcast, &c.Title, &c.About, &c.Username, &c.Creator, &c.Created,
		&c.Version, &c.Count, &c.Banned, &c.Deleted)
	return c, err
}

// ChatsOf returns the chats that a user is in, deleted ones left out.
func (db *DB) ChatsOf(ctx context.Context, user int64) ([]peer.ID, error) {
	return collect(ctx, db.read, scanPeer, `
		SELECT c.kind, c.id FROM members m JOIN chats c ON c.id = m.chat_id
		WHERE m.user_id = $1 AND m.status = $2 AND NOT c.deleted ORDER BY c.id`, user, directory.Joined)
}

func scanPeer(rows *sql.Rows) (id peer.ID, err error) {
	err = rows.Scan(&id.Kind, &id.ID)
	return id, err
}

// CommitChat makes a whole change in one transaction and returns the copies of
// its messages, in the order of the drafts.
func (db *DB) CommitChat(ctx context.Context, ch directory.Change) ([]message.Message, error) {
	var posted []message.Message
	err := db.write(ctx, func(tx *transaction) error {
		posted = nil
		if err := saveChat(ctx, tx, ch.Chat); err != nil {
			return err
		}
		if err := postAll(ctx, tx, ch.Before, &posted); err != nil {
			return err
		}
		for _, m := range ch.Members {
			if err := saveMember(ctx, tx, ch.Chat.ID.ID, m); err != nil {
				return err
			}
		}
		for _, i := range ch.Invites {
			if err := saveInvite(ctx, tx, i); err != nil {
				return err
			}
		}
		return postAll(ctx, tx, ch.After, &posted)
	})
	return posted, err
}

func postAll(ctx context.Context, tx *transaction, drafts []message.Draft, posted *[]message.Message) error {
	for _, d := range drafts {
		some, err := post(ctx, tx, d)
		if err != nil {
			return fmt.Errorf("post service message: %w", err)
		}
		*posted = append(*posted, some...)
	}
	return nil
}

func saveChat(ctx context.Context, tx *transaction, c directory.Chat) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO chats (id, kind, broadcast, title, about, creator_id, created, version, banned_rights, deleted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET title = excluded.title, about = excluded.about, version = excluded.version,
			banned_rights = excluded.banned_rights, deleted = excluded.deleted`,
		c.ID.ID, c.ID.Kind, c.Broadcast, c.Title, c.About, c.Creator, c.Created, c.Version, c.Banned, c.Deleted)
	if err != nil {
		return fmt.Errorf("save chat: %w", err)
	}
	if c.Deleted {
		return freeName(ctx, tx, c.ID)
	}
	return nil
}

// DefaultJoinAs returns whom a user joins a chat's calls as; zero: not saved.
func (db *DB) DefaultJoinAs(ctx context.Context, user, chat int64) (id peer.ID, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT peer_kind, peer_id FROM default_join_as WHERE user_id = $1 AND chat_id = $2`, user, chat).
		Scan(&id.Kind, &id.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return peer.ID{}, nil
	}
	return id, err
}

// SaveDefaultJoinAs keeps whom a user joins a chat's calls as.
func (db *DB) SaveDefaultJoinAs(ctx context.Context, user, chat int64, as peer.ID) error {
	return db.write(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO default_join_as (user_id, chat_id, peer_kind, peer_id) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id, chat_id) DO UPDATE SET peer_kind = excluded.peer_kind, peer_id = excluded.peer_id`,
			user, chat, as.Kind, as.ID)
		if err != nil {
			return fmt.Errorf("insert default join_as: %w", err)
		}
		return nil
	})
}
