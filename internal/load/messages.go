package load

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/pion/datachannel"
	"github.com/pion/logging"
	"github.com/pion/sctp"
)

// messages is a client's data channel.
type messages struct {
	association *sctp.Association
	channel     *datachannel.DataChannel
}

// openData opens the data channel as tgcalls does: label data, stream 0.
func (c *client) openData() error {
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	a, err := sctp.ClientWithOptions(sctp.WithNetConn(c.dtls), sctp.WithLoggerFactory(quiet))
	if err != nil {
		return fmt.Errorf("open sctp: %w", err)
	}
	ch, err := datachannel.Dial(a, 0, &datachannel.Config{Label: "data", LoggerFactory: quiet})
	if err != nil {
		_ = a.Close()
		return fmt.Errorf("open data channel: %w", err)
	}
	c.data = &messages{a, ch}
	go c.data.drain()
	return c.want()
}

// drain reads what the server says; nothing of it matters here.
func (m *messages) drain() {
	b := make([]byte, 64<<10)
	for {
		if _, _, err := m.channel.ReadDataChannel(b); err != nil {
			return
		}
	}
}

func (m *messages) close() {
	_ = m.channel.Close()
	_ = m.association.Close()
}

type (
	constraint struct {
		Min int `json:"minHeight"`
		Max int `json:"maxHeight"`
	}
	constraints struct {
		Class     string                `json:"colibriClass"`
		Endpoints map[string]constraint `json:"constraints"`
		Default   struct {
			Max int `json:"maxHeight"`
		} `json:"defaultConstraints"`
		OnStage []string `json:"onStageEndpoints"`
	}
)

// want asks for the best layer of the videos a client wants to see, and for no
// other. Clients say so again and again.
func (c *client) want() error {
	m := constraints{Class: "ReceiverVideoConstraints", Endpoints: map[string]constraint{}, OnStage: append([]string{}, c.peers...)}
	for _, endpoint := range c.peers {
		m.Endpoints[endpoint] = constraint{180, 720}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode constraints: %w", err)
	}
	if _, err = c.data.channel.WriteDataChannel(b, true); err != nil {
		return fmt.Errorf("send constraints: %w", err)
	}
	return nil
}
