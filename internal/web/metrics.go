package web

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Figure is one line of the metrics, or a histogram. Those of one name have
// one help and the same labels.
type Figure struct {
	Name, Help string // without the prefix that all have
	Counter    bool   // only grows
	Labels     []string
	Values     []string // of the labels
	Value      float64
	Spread     *Spread // in place of the value
}

// A Spread is a histogram: how many values there were and their sum, and how
// many were not above each bound.
type Spread struct {
	Count  uint64
	Sum    float64
	Within map[float64]uint64
}

// Metrics returns a handler of /metrics with the process's own figures and
// those that read returns for a request.
func Metrics(read func(*http.Request) []Figure) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ours := prometheus.NewRegistry()
		ours.MustRegister(figures(read(r)))
		promhttp.HandlerFor(prometheus.Gatherers{process, ours}, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	})
}

// figures is a collector of what was read. It describes nothing beforehand, so
// the registry checks what it collects.
type figures []Figure

// Describe implements prometheus.Collector.
func (figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (all figures) Collect(to chan<- prometheus.Metric) {
	for _, f := range all {
		desc := prometheus.NewDesc("parley_"+f.Name, f.Help, f.Labels, nil)
		kind := prometheus.GaugeValue
		if f.Counter {
			kind = prometheus.CounterValue
		}
		if s := f.Spread; s != nil {
			to <- prometheus.MustNewConstHistogram(desc, s.Count, s.Sum, s.Within, f.Values...)
			continue
		}
		to <- prometheus.MustNewConstMetric(desc, kind, f.Value, f.Values...)
	}
}
