package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley/internal/message"
	"parley/internal/peer"
)

// PostMessage posts a draft and tells whether it is new: a repeated random id
// returns the first outcome.
func (db *DB) PostMessage(ctx context.Context, d message.Draft) (all []message.Message, fresh bool, err error) {
	err = db.write(ctx, func(tx *transaction) error {
		all, fresh, err = postOnce(ctx, tx, d)
		return err
	})
	return all, fresh, err
}

// MessagesByID returns the messages of a box that exist, by ascending id.
func (db *DB) MessagesByID(ctx context.Context, box peer.ID, ids []int) ([]message.Message, error) {
	const most = 500 // parameters of one statement
	var all []message.Message
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for part := range slices.Chunk(ids, most) {
		args := []any{box.Kind, box.ID}
		var in strings.Builder
		for i, id := range part {
			args = append(args, id)
			fmt.Fprintf(&in, ", $%d", i+3)
		}
		found, err := collect(ctx, db.read, scanMessage,
			selectMessage+` WHERE box_kind = $1 AND box_id = $2 AND id IN (`+in.String()[2:]+`) ORDER BY id`, args...)
		if err != nil {
			return nil, fmt.Errorf("load messages of %s: %w", box, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// History returns a page of a chat's history, newest first, and how many
// messages the chat has in all.
func (db *DB) History(ctx context.Context, q message.Query) ([]message.Message, int, error) {
	var count int
	w := historyWhere(q)
	err := db.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM messages`+w.String(), w.args...).Scan(&count)
	if err != nil {
		return nil, 0, fmt.Errorf("count history of %s: %w", q.Chat, err)
	}
	if q.OffsetID == 0 && q.OffsetDate != 0 {
		before := historyWhere(q)
		before.and("date < ", q.OffsetDate)
		err = db.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM messages`+before.String(), before.args...).Scan(&q.OffsetID)
		if err != nil {
			return nil, 0, fmt.Errorf("find date in history of %s: %w", q.Chat, err)
		}
	}
	if q.MaxID != 0 {
		w.and("id < ", q.MaxID)
	}
	if q.MinID != 0 {
		w.and("id > ", q.MinID)
	}
	page, err := db.historyPage(ctx, q, w)
	if err != nil {
		return nil, 0, fmt.Errorf("load history of %s: %w", q.Chat, err)
	}
	return page, count, nil
}

// historyPage returns the messages at the query's offset: with a negative
// AddOffset so many from the offset on come first.
func (db *DB) historyPage(ctx context.Context, q message.Query, w where) ([]message.Message, error) {
	var page []message.Message
	skip := max(q.AddOffset, 0)
	if q.AddOffset < 0 && q.OffsetID != 0 {
		newer := w.clone()
		newer.and("id >= ", q.OffsetID)
		var err error
		page, err = collect(ctx, db.read, scanMessage, selectMessage+newer.String()+` ORDER BY id LIMIT `+newer.arg(-q.AddOffset), newer.args...)
		if err != nil {
			return nil, err
		}
		slices.Reverse(page)
	}
	if len(page) >= q.Limit {
		return page[:q.Limit], nil
	}
	if q.OffsetID != 0 {
		w.and("id < ", q.OffsetID)
	}
	text := selectMessage + w.String() + ` ORDER BY id DESC LIMIT ` + w.arg(q.Limit-len(page)) + ` OFFSET ` + w.arg(skip)
	older, err := collect(ctx, db.read, scanMessage, text, w.args...)
	return append(page, older...), err
}

// historyWhere selects a chat's messages.
func historyWhere(q message.Query) where {
	var w where
	w.and("box_kind = ", q.Box.Kind)
	w.and("box_id = ", q.Box.ID)
	w.and("chat_kind = ", q.Chat.Kind)
	w.and("chat_id = ", q.Chat.ID)
	if q.Text != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(q.Text))
		w.and("LOWER(text) LIKE ", "%"+escaped+"%")
		w.text += ` ESCAPE '\'`
	}
	return w
}

// where is a condition of a statement, with its numbered parameters.
type where struct {
	text string
	args []any
}

// and adds "comparison value".
func (w *where) and(comparison string, value any) {
	if w.text != "" {
		w.text += " AND "
	}
	w.text += comparison + w.arg(value)
}

// arg adds a parameter and returns its name.
func (w *where) arg(value any) string {
	w.args = append(w.args, value)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) clone() where { return where{w.text, slices.Clone(w.args)} }

func (w *where) String() string { return " WHERE " + w.text }
