package updates_test

import (
	"context"
	"log/slog"
	"testing"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/peer"
	"parley/internal/rpc"
	"parley/internal/updates"
)

// BenchmarkDeliver tells 1000 participants of one who unmuted.
func BenchmarkDeliver(b *testing.B) {
	const listeners = 1000
	s := updates.Start(b.Context(), updates.Config{Peers: &people{}, Hasher: peer.NewHasher(nil), Logger: slog.New(slog.DiscardHandler)})
	told := 0
	changed := event.ParticipantsChanged{
		Call: 7, Changes: []event.ListChange{{Version: 2, Entries: []call.Participant{part(1, func(*call.Participant) {})}}},
	}
	for user := int64(1); user <= listeners; user++ {
		session := rpc.NewSession(user, func(rpc.Body) { told++ })
		session.WantUpdates()
		s.Attach(user, session)
		changed.To = append(changed.To, user)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Deliver(context.Background(), rpc.Caller{}, []event.Event{changed}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(told), "ns/session")
}
