package harness

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
)

// Client is the ready client configuration that the server writes on start.
type Client struct {
	DC          int    `json:"dc_id"`
	TCP         string `json:"tcp"`
	WS          string `json:"ws"`
	HTTP        string `json:"http"`
	Media       string `json:"media"`
	PublicKey   string `json:"public_key"`
	Fingerprint string `json:"fingerprint"`
	Secret      string `json:"mtproxy_secret"`
	APIID       int    `json:"api_id"`
	APIHash     string `json:"api_hash"`
	Layers      [2]int `json:"layers"`
}

// readClient reads a client.json.
func readClient(file string) (Client, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Client{}, fmt.Errorf("read client.json: %w", err)
	}
	var c Client
	if err := json.Unmarshal(data, &c); err != nil {
		return Client{}, fmt.Errorf("read client.json: %w", err)
	}
	return c, nil
}

// RSA returns the server's public key.
func (c Client) RSA(t testing.TB) *rsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode([]byte(c.PublicKey))
	if block == nil {
		t.Fatal("public_key of client.json is no PEM")
	}
	key, err := x509.ParsePKCS1PublicKey(block.Bytes)
	if err != nil {
		t.Fatal("public_key of client.json:", err)
	}
	return key
}

// Addr returns the host and the port that clients connect to.
func (c Client) Addr(t testing.TB) (string, int) {
	t.Helper()
	host, port, err := net.SplitHostPort(c.TCP)
	n, err2 := strconv.Atoi(port)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal("tcp of client.json:", err)
	}
	return host, n
}
