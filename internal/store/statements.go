package store

import (
	"context"
	"database/sql"
	"sync"
)

const (
	// maxStatements is how many texts a pool keeps statements of: more than there
	// are. A list makes a text for each length, so that those with more than
	// maxArguments are not kept.
	maxStatements = 512
	maxArguments  = 32
)

// pool is connections that keep the statements they have run: SQLite takes
// longer to read most texts than to do what they say.
type pool struct {
	*sql.DB
	mu         sync.RWMutex
	statements map[string]*sql.Stmt // guarded by mu
}

func openPool(name string, conns int) (*pool, error) {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return &pool{DB: db, statements: map[string]*sql.Stmt{}}, nil
}

// find returns the statement of a text, or nil, and whether there is room for
// one.
func (p *pool) find(query string) (s *sql.Stmt, room bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.statements[query], len(p.statements) < maxStatements
}

// learn returns the statement of a text, made when there is room for it, or
// nil. It waits for a connection.
func (p *pool) learn(ctx context.Context, query string, args int) *sql.Stmt {
	s, room := p.find(query)
	if s != nil || !room || args > maxArguments {
		return s
	}
	made, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil // it fails by itself
	}
	p.mu.Lock()
	if s = p.statements[query]; s == nil {
		p.statements[query] = made
	}
	p.mu.Unlock()
	if s == nil {
		return made
	}
	defer func() { _ = made.Close() }() // another one was faster
	return s
}

// QueryContext is that of sql.DB.
func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := p.learn(ctx, query, len(args)); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of sql.DB.
func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := p.learn(ctx, query, len(args)); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}

// transaction is what writes. It uses the statements that its pool has, which
// learns the others behind it: it holds the only connection.
type transaction struct {
	tx      *sql.Tx
	pool    *pool
	unknown []string
}

// statement returns that of a text, nil when there is none yet.
func (t *transaction) statement(ctx context.Context, query string, args int) *sql.Stmt {
	s, room := t.pool.find(query)
	if s != nil {
		return t.tx.StmtContext(ctx, s)
	}
	if room && args <= maxArguments {
		t.unknown = append(t.unknown, query)
	}
	return nil
}

// learn has the pool learn what was unknown, after the transaction.
func (t *transaction) learn(ctx context.Context) {
	for _, query := range t.unknown {
		t.pool.learn(ctx, query, 0)
	}
}

// ExecContext is that of sql.Tx.
func (t *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := t.statement(ctx, query, len(args)); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return t.tx.ExecContext(ctx, query, args...)
}

// QueryContext is that of sql.Tx.
func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.statement(ctx, query, len(args)); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return t.tx.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of sql.Tx.
func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.statement(ctx, query, len(args)); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return t.tx.QueryRowContext(ctx, query, args...)
}
