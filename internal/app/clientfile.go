package app

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"parley/internal/exchange"
	"parley/internal/tg"
)

// clientFile is client.json: all that a client needs to find and trust this
// server, and the machine-readable contract with scripts.
type clientFile struct {
	DC          int    `json:"dc_id"`
	TCP         string `json:"tcp"`
	WS          string `json:"ws"`
	HTTP        string `json:"http"`
	Media       string `json:"media"`
	PublicKey   string `json:"public_key"` // PKCS#1 PEM
	Fingerprint string `json:"fingerprint"`
	Secret      string `json:"mtproxy_secret"`
	APIID       int    `json:"api_id"`
	APIHash     string `json:"api_hash"`
	Layers      [2]int `json:"layers"`
}

// Any api_id and api_hash are accepted; clients insist on having some.
const (
	apiID   = 1
	apiHash = "0123456789abcdef0123456789abcdef"
)

const clientName = "client.json"

// path returns the name of a file of the data directory.
func (a *App) path(name string) string { return filepath.Join(a.cfg.Data, name) }

// writeClientFile announces the server to clients on this machine.
func (a *App) writeClientFile() error {
	pub := &a.secrets.rsa.PublicKey
	at := a.Addrs()
	tcp := netip.AddrPortFrom(a.hostAddr(at.TCP), at.TCP.Port()).String()
	b, err := json.MarshalIndent(clientFile{
		DC: dcID, TCP: tcp, WS: "ws://" + tcp + "/apiws", HTTP: "http://" + tcp,
		Media:       netip.AddrPortFrom(a.hostAddr(at.Media), at.Media.Port()).String(),
		PublicKey:   string(exchange.MarshalPublicKey(pub)),
		Fingerprint: fmt.Sprintf("%016x", uint64(exchange.Fingerprint(pub))),
		Secret:      fmt.Sprintf("%x", a.secrets.mtproxy),
		APIID:       apiID, APIHash: apiHash, Layers: [2]int{tg.MinLayer, tg.Layer},
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode client.json: %w", err)
	}
	if err := replaceFile(a.path(clientName), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("%w: can't write %s (%w)", ErrSetting, a.path(clientName), err)
	}
	return nil
}

func (a *App) removeClientFile() {
	if err := os.Remove(a.path(clientName)); err != nil {
		a.log.Warn("client.json not removed", "err", err)
	}
}

// hostAddr returns the address clients should dial for a socket bound to at:
// the first public one, the bound one, or loopback when bound to all.
func (a *App) hostAddr(at netip.AddrPort) netip.Addr {
	switch {
	case len(a.cfg.PublicIPs) > 0:
		return a.cfg.PublicIPs[0]
	case at.Addr().IsUnspecified():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return at.Addr().Unmap()
}
