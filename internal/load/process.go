package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// process is a baseline in a process of its own, so that its CPU is its own.
// It ends when its standard input does: it never outlives us.
type process struct {
	command *exec.Cmd
	stdin   io.Closer
	url     string
}

// startBaseline runs the command of a baseline and waits for its address.
func startBaseline(ctx context.Context, command []string) (*process, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start baseline: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start baseline: %w", err)
	}
	if err = cmd.Start(); err != nil {
		return nil, fmt.Errorf("start baseline: %w", err)
	}
	p := &process{command: cmd, stdin: stdin}
	if p.url, err = bufio.NewReader(stdout).ReadString('\n'); err != nil {
		p.close()
		return nil, fmt.Errorf("start baseline: %w", err)
	}
	p.url = strings.TrimSpace(p.url)
	return p, nil
}

func (p *process) close() {
	_ = p.stdin.Close()
	_ = p.command.Wait() // killed or not, it is gone
}

// RunBaseline is what the command of a baseline does: it serves, tells its
// address on out, and ends with in.
func RunBaseline(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return ServeBaseline(ctx, func(url string) { _, _ = fmt.Fprintln(out, url) })
}

// peers is the baseline as a target.
type peers struct {
	url      string
	scenario Scenario
	http     *http.Client
}

func newPeers(url string, s Scenario) *peers {
	return &peers{url, s, &http.Client{Transport: new(http.Transport), Timeout: requestTime}}
}

func (*peers) prepare(context.Context) error { return nil }
func (p *peers) close(context.Context)       { p.http.CloseIdleConnections() }

func (p *peers) join(ctx context.Context, room, seat int, o offer) (remote, error) {
	answer, err := p.post(ctx, "/join", room, seat, o.sdp(p.scenario, p.scenario.hears(seat)))
	if err != nil {
		return remote{}, err
	}
	return parseSDP(answer)
}

func (*peers) pushes() (int64, bool) { return 0, false }

func (p *peers) leave(ctx context.Context, room, seat int, _ offer) error {
	_, err := p.post(ctx, "/leave", room, seat, "")
	return err
}

var errBaseline = errors.New("the baseline refuses")

func (p *peers) post(ctx context.Context, path string, room, seat int, body string) (string, error) {
	query := url.Values{
		"room": {strconv.Itoa(room)}, "seat": {strconv.Itoa(seat)}, "video": {strconv.FormatBool(p.scenario.Video)},
		"publishers": {strconv.Itoa(p.scenario.Publishers)}, "hears": {strconv.Itoa(p.scenario.hears(seat))},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path+"?"+query.Encode(), strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("ask baseline: %w", err)
	}
	res, err := p.http.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask baseline: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("read baseline's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: %s", errBaseline, strings.TrimSpace(string(b)))
	}
	return string(b), nil
}
