package colibri

import (
	"encoding/json"
	"fmt"
)

const (
	maxMessage   = 64 << 10
	maxEndpoints = 256
	classWants   = "ReceiverVideoConstraints"
	classSender  = "SenderVideoConstraints"
)

// Heights is the range of picture heights wanted of one endpoint; Max 0 means
// that nothing is to be sent.
type Heights struct {
	Min int `json:"minHeight"`
	Max int `json:"maxHeight"`
}

// Wants is a ReceiverVideoConstraints message: the complete set of endpoints a
// client wants to see, and what holds for all others.
type Wants struct {
	Endpoints map[string]Heights `json:"constraints"`
	Default   Heights            `json:"defaultConstraints"`
	OnStage   []string           `json:"onStageEndpoints"`
}

// Of returns what is wanted of an endpoint.
func (w Wants) Of(endpoint string) Heights {
	if h, ok := w.Endpoints[endpoint]; ok {
		return h
	}
	return w.Default
}

// ParseMessage reads a message of the data channel; ok is false for the many
// classes that need no answer.
func ParseMessage(data []byte) (w Wants, ok bool, err error) {
	if len(data) > maxMessage {
		return w, false, fmt.Errorf("colibri: message of %d bytes", len(data))
	}
	var class struct {
		Class string `json:"colibriClass"`
	}
	if err := json.Unmarshal(data, &class); err != nil {
		return w, false, fmt.Errorf("parse colibri class: %w", err)
	}
	if class.Class != classWants {
		return w, false, nil
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return Wants{}, false, fmt.Errorf("parse video constraints: %w", err)
	}
	if len(w.Endpoints) > maxEndpoints || len(w.OnStage) > maxEndpoints {
		return Wants{}, false, fmt.Errorf("colibri: constraints for %d endpoints", len(w.Endpoints))
	}
	return w, true, nil
}

// SenderConstraints returns the message that tells a sender the greatest
// height anyone wants of it.
func SenderConstraints(height int) []byte {
	return fmt.Appendf(nil, `{"colibriClass":%q,"videoConstraints":{"idealHeight":%d}}`, classSender, height)
}
