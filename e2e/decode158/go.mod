module parley/e2e/decode158

go 1.26.0

require (
	github.com/gotd/td v0.80.0
	parley/e2e/harness v0.0.0
)

require (
	github.com/go-faster/errors v0.6.1 // indirect
	github.com/go-faster/jx v1.0.0 // indirect
	github.com/gotd/neo v0.1.5 // indirect
	github.com/segmentio/asm v1.2.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	golang.org/x/sys v0.7.0 // indirect
)

replace parley/e2e/harness => ../harness
