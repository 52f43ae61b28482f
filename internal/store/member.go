package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"parley/internal/directory"
	"parley/internal/peer"
)

const memberColumns = `m.user_id, m.status, m.joined, m.inviter_id, m.admin, m.admin_rights, m.promoter_id, m.rank,
	m.banned_rights, m.banned_until, m.banner_id`

func scanMember(rows *sql.Rows) (m directory.Member, err error) {
	err = rows.Scan(&m.User, &m.Status, &m.Joined, &m.Inviter, &m.Admin, &m.Rights, &m.Promoter, &m.Rank,
		&m.Banned, &m.Until, &m.Banner)
	return m, err
}

// LoadMembers returns the rows of users in a chat, in any order.
func (db *DB) LoadMembers(ctx context.Context, chat int64, users []int64) ([]directory.Member, error) {
	var all []directory.Member
	for len(users) > 0 {
		n := min(len(users), maxIn)
		list, args := in(2, users[:n])
		some, err := collect(ctx, db.read, scanMember,
			`SELECT `+memberColumns+` FROM members m WHERE m.chat_id = $1 AND m.user_id IN `+list, append([]any{chat}, args...)...)
		if err != nil {
			return nil, fmt.Errorf("select members: %w", err)
		}
		all, users = append(all, some...), users[n:]
	}
	return all, nil
}

// MemberIDs returns who is in a chat, ascending.
func (db *DB) MemberIDs(ctx context.Context, chat int64) ([]int64, error) {
	return collect(ctx, db.read, scanID, `SELECT user_id FROM members WHERE chat_id = $1 AND status = $2 ORDER BY user_id`,
		chat, directory.Joined)
}

// saveMember writes a row and keeps the chat's count of members.
func saveMember(ctx context.Context, tx *transaction, chat int64, m directory.Member) error {
	var was directory.Status
	err := tx.QueryRowContext(ctx, `SELECT status FROM members WHERE chat_id = $1 AND user_id = $2`, chat, m.User).Scan(&was)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("load member: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO members (chat_id, user_id, status, joined, inviter_id, admin, admin_rights, promoter_id, rank,
			banned_rights, banned_until, banner_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (chat_id, user_id) DO UPDATE SET status = excluded.status, joined = excluded.joined,
			inviter_id = excluded.inviter_id, admin = excluded.admin, admin_rights = excluded.admin_rights,
			promoter_id = excluded.promoter_id, rank = excluded.rank, banned_rights = excluded.banned_rights,
			banned_until = excluded.banned_until, banner_id = excluded.banner_id`,
		chat, m.User, m.Status, m.Joined, m.Inviter, m.Admin, m.Rights, m.Promoter, m.Rank, m.Banned, m.Until, m.Banner)
	if err != nil {
		return fmt.Errorf("save member: %w", err)
	}
	more := count(m.Status) - count(was)
	if more == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE chats SET members = members + $2 WHERE id = $1`, chat, more); err != nil {
		return fmt.Errorf("count members: %w", err)
	}
	return nil
}

// count is what a row adds to the number of members.
func count(s directory.Status) int {
	if s == directory.Joined {
		return 1
	}
	return 0
}

// ListMembers returns one page of a chat's members, the newest first, and how
// many the query finds in all.
func (db *DB) ListMembers(ctx context.Context, chat int64, q directory.MemberQuery) ([]directory.Member, int, error) {
	where, args := memberWhere(chat, q)
	from := ` FROM members m JOIN users u ON u.id = m.user_id
		LEFT JOIN usernames n ON n.kind = $2 AND n.id = u.id WHERE ` + where
	var total int
	if err := db.read.QueryRowContext(ctx, `SELECT COUNT(*)`+from, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count members: %w", err)
	}
	page := fmt.Sprintf(` ORDER BY m.joined DESC, m.user_id LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2)
	rows, err := collect(ctx, db.read, scanMember, `SELECT `+memberColumns+from+page, append(args, q.Limit, q.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("select members: %w", err)
	}
	return rows, total, nil
}

// memberWhere returns the condition of a query; $1 is the chat, $2 the kind of
// usernames.
func memberWhere(chat int64, q directory.MemberQuery) (where string, args []any) {
	args = []any{chat, peer.User, directory.Joined}
	where = `m.chat_id = $1 AND m.status = $3`
	switch {
	case q.Admins:
		where += ` AND m.admin`
	case q.Bots:
		where += ` AND u.bot`
	case q.Kicked:
		args[2] = directory.Kicked
	case q.Banned:
		where = `m.chat_id = $1 AND m.status <> $3 AND m.banned_rights <> 0`
		args[2] = directory.Kicked
	}
	if q.Contacts != 0 {
		args = append(args, q.Contacts)
		where += fmt.Sprintf(` AND u.id IN (SELECT user_id FROM contacts WHERE owner_id = $%d)`, len(args))
	}
	if q.Search != "" {
		args = append(args, "%"+likeEscaper.Replace(strings.ToLower(strings.TrimPrefix(q.Search, "@")))+"%")
		where += fmt.Sprintf(` AND LOWER(u.first_name || ' ' || u.last_name || ' ' || COALESCE(n.name, '')) LIKE $%d ESCAPE '!'`, len(args))
	}
	return where, args
}

var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
