module parley/e2e/gotd46

go 1.26.0

require (
	github.com/gotd/td v0.46.0
	parley/e2e/harness v0.0.0
)

require (
	github.com/cenkalti/backoff/v4 v4.1.1 // indirect
	github.com/gotd/ige v0.2.1 // indirect
	github.com/gotd/neo v0.1.3 // indirect
	github.com/gotd/xor v0.1.1 // indirect
	github.com/klauspost/compress v1.13.1 // indirect
	go.uber.org/atomic v1.9.0 // indirect
	go.uber.org/multierr v1.7.0 // indirect
	go.uber.org/zap v1.18.1 // indirect
	golang.org/x/crypto v0.0.0-20200622213623-75b288015ac9 // indirect
	golang.org/x/net v0.0.0-20201021035429-f5854403a974 // indirect
	golang.org/x/sync v0.0.0-20201207232520-09787c993a3a // indirect
	golang.org/x/xerrors v0.0.0-20200804184101-5ec99f83aff1 // indirect
	nhooyr.io/websocket v1.8.7 // indirect
)

replace parley/e2e/harness => ../harness
