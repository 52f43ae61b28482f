package store

import (
	"context"
	"database/sql"
	"fmt"

	"parley/internal/call"
	"parley/internal/calls"
	"parley/internal/message"
	"parley/internal/peer"
)

var _ calls.Store = (*DB)(nil)

const selectCall = `SELECT id, chat_kind, chat_id, broadcast, creator, state, title, schedule_date, start_date, end_date,
	join_muted, video_limit, invite_hash, random_id, ceiling FROM calls`

// LoadCalls returns the calls that have not ended, and the highest id ever.
func (db *DB) LoadCalls(ctx context.Context) ([]call.Record, call.ID, error) {
	live, err := collect(ctx, db.read, scanCall, selectCall+` WHERE state < $1 ORDER BY id`, call.Discarded)
	if err != nil {
		return nil, 0, fmt.Errorf("load calls: %w", err)
	}
	for i := range live {
		live[i].Subscribers, err = collect(ctx, db.read, scanID, `SELECT user_id FROM call_subscribers WHERE call_id = $1 ORDER BY user_id`, live[i].ID)
		if err != nil {
			return nil, 0, fmt.Errorf("load subscribers of call %d: %w", live[i].ID, err)
		}
		live[i].Silenced, err = collect(ctx, db.read, scanID, `SELECT user_id FROM call_silenced WHERE call_id = $1 ORDER BY user_id`, live[i].ID)
		if err != nil {
			return nil, 0, fmt.Errorf("load who is silenced in call %d: %w", live[i].ID, err)
		}
	}
	var last call.ID
	if err = db.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM calls`).Scan(&last); err != nil {
		return nil, 0, fmt.Errorf("load last call: %w", err)
	}
	return live, last, nil
}

// LoadCall returns any call but its lists of users, or calls.ErrNoCall.
func (db *DB) LoadCall(ctx context.Context, id call.ID) (call.Record, error) {
	return db.oneCall(ctx, selectCall+` WHERE id = $1`, id)
}

// FindCall returns the call that a request created, or calls.ErrNoCall.
func (db *DB) FindCall(ctx context.Context, creator int64, chat peer.ID, randomID int) (call.Record, error) {
	return db.oneCall(ctx, selectCall+` WHERE creator = $1 AND chat_kind = $2 AND chat_id = $3 AND random_id = $4 AND random_id <> 0`,
		creator, chat.Kind, chat.ID, randomID)
}

func (db *DB) oneCall(ctx context.Context, query string, args ...any) (call.Record, error) {
	found, err := collect(ctx, db.read, scanCall, query, args...)
	if err != nil {
		return call.Record{}, fmt.Errorf("load call: %w", err)
	}
	if len(found) == 0 {
		return call.Record{}, calls.ErrNoCall
	}
	return found[0], nil
}

// CommitCalls makes a change of calls and posts its messages.
func (db *DB) CommitCalls(ctx context.Context, c calls.Commit) ([][]message.Message, error) {
	var posted [][]message.Message
	err := db.write(ctx, func(tx *transaction) error {
		for _, r := range c.Calls {
			if err := saveCall(ctx, tx, r); err != nil {
				return fmt.Errorf("save call %d: %w", r.ID, err)
			}
		}
		if s := c.Subscription; s != nil {
			if err := subscribe(ctx, tx, *s); err != nil {
				return fmt.Errorf("save subscription to call %d: %w", s.Call, err)
			}
		}
		if s := c.Silence; s != nil {
			if err := silence(ctx, tx, *s); err != nil {
				return fmt.Errorf("save who is silenced in call %d: %w", s.Call, err)
			}
		}
		for _, d := range c.Drafts {
			copies, err := post(ctx, tx, d)
			if err != nil {
				return err
			}
			posted = append(posted, copies)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return posted, nil
}

func saveCall(ctx context.Context, tx *transaction, r call.Record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO calls (id, chat_kind, chat_id, broadcast, creator, state, title, schedule_date,
			start_date, end_date, join_muted, video_limit, invite_hash, random_id, ceiling)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (id) DO UPDATE SET state = $6, title = $7, schedule_date = $8, start_date = $9, end_date = $10,
			join_muted = $11, video_limit = $12, invite_hash = $13, ceiling = $15`,
		r.ID, r.Chat.Kind, r.Chat.ID, r.Broadcast, r.Creator, r.State, r.Title, r.ScheduleDate,
		r.StartDate, r.EndDate, r.JoinMuted, r.VideoLimit, r.InviteHash, r.RandomID, r.Ceiling)
	if err != nil || r.State == call.Scheduled {
		return err
	}
	if _, err = tx.ExecContext(ctx, `DELETE FROM call_subscribers WHERE call_id = $1`, r.ID); err != nil || r.State == call.Active {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM call_silenced WHERE call_id = $1`, r.ID)
	return err
}

func subscribe(ctx context.Context, tx *transaction, s calls.Subscription) error {
	query := `INSERT INTO call_subscribers (call_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	if !s.On {
		query = `DELETE FROM call_subscribers WHERE call_id = $1 AND user_id = $2`
	}
	_, err := tx.ExecContext(ctx, query, s.Call, s.User)
	return err
}

func silence(ctx context.Context, tx *transaction, s calls.Silence) error {
	query := `INSERT INTO call_silenced (call_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	if !s.On {
		query = `DELETE FROM call_silenced WHERE call_id = $1 AND user_id = $2`
	}
	_, err := tx.ExecContext(ctx, query, s.Call, s.User)
	return err
}

func scanCall(rows *sql.Rows) (r call.Record, err error) {
	err = rows.Scan(&r.ID, &r.Chat.Kind, &r.Chat.ID, &r.Broadcast, &r.Creator, &r.State, &r.Title, &r.ScheduleDate,
		&r.StartDate, &r.EndDate, &r.JoinMuted, &r.VideoLimit, &r.InviteHash, &r.RandomID, &r.Ceiling)
	return r, err
}
