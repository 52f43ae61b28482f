package load

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

func header(t testing.TB, kind uint8, ssrc uint32, seq, transport uint16) []byte {
	t.Helper()
	h := rtp.Header{Version: 2, PayloadType: kind, SequenceNumber: seq, SSRC: ssrc}
	for id, v := range map[uint8][]byte{levelExt: {1}, transportExt: {byte(transport >> 8), byte(transport)}} {
		if err := h.SetExtension(id, v); err != nil {
			t.Fatal(err)
		}
	}
	b, err := h.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, 20)...)
}

// TestFeedback reports streams over the end of their sequence numbers, and all
// packets between two samples.
func TestFeedback(t *testing.T) {
	h := &hearing{ssrc: 1}
	if got := h.feedback(time.Hour); got != nil {
		t.Errorf("reports nothing with %v", got)
	}
	h.note(header(t, opusType, 10, 65520, 100), time.Second)
	h.note(header(t, vp8Type, 20, 5, 101), time.Second)
	h.note(header(t, opusType, 10, 0, 116), time.Second+20*time.Millisecond)
	var raw []byte
	for _, b := range h.feedback(2 * time.Second) {
		raw = append(raw, b...)
	}
	packets, err := rtcp.Unmarshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.ReceiverReport:
			found++
			if len(p.Reports) != 2 || p.Reports[0].LastSequenceNumber != 65536 || p.Reports[1].SSRC != 20 {
				t.Errorf("report %+v", p)
			}
		case *rtcp.TransportLayerCC:
			found++
			if p.BaseSequenceNumber != 100 || p.PacketStatusCount != 17 || len(p.RecvDeltas) != 17 {
				t.Errorf("transport feedback %+v", p)
			}
		case *rtcp.TransportLayerNack:
			found++
			if p.MediaSSRC != 20 || p.Nacks[0].PacketID != 2 {
				t.Errorf("nack %+v", p)
			}
		}
	}
	if found != 3 {
		t.Errorf("packets %v", packets)
	}
	if got := h.feedback(2*time.Second + feedbackEvery); len(got) != 0 {
		t.Errorf("reports the same again: %v", got)
	}
}

func FuzzTransportSequence(f *testing.F) {
	f.Add(header(f, opusType, 10, 1, 513))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if isMedia(b) {
			transportSequence(b)
		}
	})
}

func TestTransportSequence(t *testing.T) {
	if seq, ok := transportSequence(header(t, opusType, 10, 1, 513)); !ok || seq != 513 {
		t.Errorf("sequence %d, %v", seq, ok)
	}
	if _, ok := transportSequence(make([]byte, 12)); ok {
		t.Error("found one without extensions")
	}
}
