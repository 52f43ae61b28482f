package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"parley/internal/directory"
	"parley/internal/peer"
)

var _ directory.Store = (*DB)(nil)

// maxIn bounds the parameters of one IN list.
const maxIn = 500

// in returns "($n,$n+1,...)" and the arguments for a list of ids.
func in(n int, ids []int64) (string, []any) {
	var b strings.Builder
	args := make([]any, len(ids))
	for i, id := range ids {
		sep := ","
		if i == 0 {
			sep = "("
		}
		fmt.Fprintf(&b, "%s$%d", sep, n+i)
		args[i] = id
	}
	b.WriteString(")")
	return b.String(), args
}

// userKind is written into the query: where SQLite compares a parameter with one
// of another table it plans each time anew, which takes four times as long.
var userKind = strconv.Itoa(int(peer.User))

// LoadUsers returns the users that exist, in any order.
func (db *DB) LoadUsers(ctx context.Context, ids []int64) ([]directory.User, error) {
	var all []directory.User
	for len(ids) > 0 {
		n := min(len(ids), maxIn)
		list, args := in(1, ids[:n])
		some, err := collect(ctx, db.read, scanUser, `
			SELECT u.id, u.bot, COALESCE(u.phone, ''), u.first_name, u.last_name, u.about, COALESCE(n.display, ''), u.created
			FROM users u LEFT JOIN usernames n ON n.kind = `+userKind+` AND n.id = u.id
			WHERE u.id IN `+list, args...)
		if err != nil {
			return nil, fmt.Errorf("select users: %w", err)
		}
		all, ids = append(all, some...), ids[n:]
	}
	return all, nil
}

func scanUser(rows *sql.Rows) (u directory.User, err error) {
	err = rows.Scan(&u.ID, &u.Bot, &u.Phone, &u.FirstName, &u.LastName, &u.About, &u.Username, &u.Created)
	return u, err
}

// UserByPhone returns who has a phone, 0 for nobody.
func (db *DB) UserByPhone(ctx context.Context, phone string) (int64, error) {
	return oneID(ctx, db.read, `SELECT id FROM users WHERE phone = $1`, phone)
}

// UserByToken returns the bot of a token's hash, 0 for none.
func (db *DB) UserByToken(ctx context.Context, hash []byte) (int64, error) {
	return oneID(ctx, db.read, `SELECT id FROM users WHERE token_hash = $1`, hash)
}

// oneID returns the id that a query finds, 0 for none.
func oneID(ctx context.Context, q querier, query string, args ...any) (id int64, err error) {
	err = q.QueryRowContext(ctx, query, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// AddUser enters a user under u.ID if that is free, else under the next id.
func (db *DB) AddUser(ctx context.Context, u directory.User) (int64, error) {
	err := db.write(ctx, func(tx *transaction) error {
		other, err := oneID(ctx, tx, `SELECT id FROM users WHERE phone = $1 OR token_hash = $2`, null(u.Phone), u.Token)
		if err != nil {
			return fmt.Errorf("look for user: %w", err)
		}
		if other != 0 {
			return directory.ErrTaken
		}
		taken := true
		if u.ID != 0 {
			if taken, err = idTaken(ctx, tx, u.ID); err != nil {
				return err
			}
		}
		if taken {
			if u.ID, err = nextID(ctx, tx); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO users (id, bot, phone, token_hash, first_name, last_name, about, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			u.ID, u.Bot, null(u.Phone), u.Token, u.FirstName, u.LastName, u.About, u.Created)
		if err != nil {
			return fmt.Errorf("insert user: %w", err)
		}
		return nil
	})
	return u.ID, err
}

// null keeps an empty text out of unique columns.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// nextID takes an id that no user and no chat has.
func nextID(ctx context.Context, tx *transaction) (int64, error) {
	for {
		id, err := oneID(ctx, tx, `UPDATE sequences SET value = value + 1 WHERE name = $1 RETURNING value`, "peer")
		if err != nil {
			return 0, fmt.Errorf("take id: %w", err)
		}
		if id >= 1<<31 {
			return 0, errors.New("take id: none left below 2^31")
		}
		taken, err := idTaken(ctx, tx, id)
		if err != nil || !taken {
			return id, err
		}
	}
}

// idTaken tells whether a user or a chat has the id; bots choose theirs.
func idTaken(ctx context.Context, tx *transaction, id int64) (bool, error) {
	other, err := oneID(ctx, tx, `SELECT id FROM users WHERE id = $1 UNION ALL SELECT id FROM chats WHERE id = $1`, id)
	if err != nil {
		return false, fmt.Errorf("look for id: %w", err)
	}
	return other != 0, nil
}

// NextID takes an id for a new chat.
func (db *DB) NextID(ctx context.Context) (id int64, err error) {
	err = db.write(ctx, func(tx *transaction) (err error) {
		id, err = nextID(ctx, tx)
		return err
	})
	return id, err
}

// SaveProfile writes a user's names and about.
func (db *DB) SaveProfile(ctx context.Context, u directory.User) error {
	return db.write(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `UPDATE users SET first_name = $2, last_name = $3, about = $4 WHERE id = $1`,
			u.ID, u.FirstName, u.LastName, u.About)
		if err != nil {
			return fmt.Errorf("update user: %w", err)
		}
		return nil
	})
}
