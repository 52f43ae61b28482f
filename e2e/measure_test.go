package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/gotd/td/session"

	"parley/e2e/harness"
	"parley/e2e/harness/scenario"
)

// The benchmarks measure what a server costs by its own metrics, so that the
// clients' work, which is far more, does not count. docs/measurements.md tells
// how to run them.

// cpu returns the processor time that the server has used, in seconds.
func cpu(b *testing.B, s *harness.Server) float64 {
	b.Helper()
	return s.Metrics(b)["process_cpu_seconds_total"]
}

// memory returns the server's resident memory in bytes.
func memory(b *testing.B, s *harness.Server) float64 {
	b.Helper()
	return s.Metrics(b)["process_resident_memory_bytes"]
}

// BenchmarkCalls measures round trips of updates.getState by 20 people at once.
// Each makes fewer than the burst of 1000 that a person is allowed.
func BenchmarkCalls(b *testing.B) {
	const people, most = 20, 900
	if b.N > people*most {
		b.Fatalf("at most %d calls: -benchtime %dx", people*most, people*most)
	}
	s := harness.Start(b)
	var callers []*client
	for range people {
		callers = append(callers, dial(b, s, scenario.Who{Name: "Caller", Phone: harness.NewPhone()}, &keys{kept: map[string]*session.StorageMemory{}}))
	}
	before := cpu(b, s)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, c := range callers {
		wg.Go(func() {
			for n := i; n < b.N; n += people {
				if _, err := c.api.UpdatesGetState(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/(cpu(b, s)-before), "calls/core-s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkHandshakes measures key exchanges: a new client without a sign-in.
func BenchmarkHandshakes(b *testing.B) {
	s := harness.Start(b)
	before := cpu(b, s)
	b.ResetTimer()
	for range b.N {
		c := dial(b, s, scenario.Who{Name: "Stranger", Stranger: true}, &keys{})
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/(cpu(b, s)-before), "handshakes/core-s")
}

// BenchmarkIdle measures the memory of a fresh server, and of each session
// that is connected and does nothing.
func BenchmarkIdle(b *testing.B) {
	const people, each = 10, 8
	for range b.N {
		s := harness.Start(b)
		fresh := memory(b, s)
		k := &keys{kept: map[string]*session.StorageMemory{}}
		var phones []harness.Phone
		for i := range people { // the exchange needs memory, too, but gives it back
			phones = append(phones, harness.NewPhone())
			dial(b, s, scenario.Who{Name: fmt.Sprint("Person ", i), Phone: phones[i]}, k)
		}
		before := memory(b, s)
		for i := range people * each {
			dial(b, s, scenario.Who{Name: "Idler", Phone: phones[i%people]}, k)
		}
		b.ReportMetric(fresh/1e6, "MB-idle")
		b.ReportMetric((memory(b, s)-before)/(people*each)/1e3, "kB/session")
	}
}
