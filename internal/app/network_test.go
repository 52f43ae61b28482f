package app

import "testing"

// TestNetwork: who names all addresses of IPv4 gets those of no other family.
func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"0.0.0.0:80": "tcp4", "127.0.0.1:0": "tcp4", ":80": "tcp", "[::]:80": "tcp", "localhost:80": "tcp", "nonsense": "tcp",
	} {
		if got := network(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}
