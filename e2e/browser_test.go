package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/e2e/harness"
)

// browser is one that runs, with the driver that steers it.
type browser struct {
	in  io.Writer
	end chan struct{} // closed when the driver is gone

	mu      sync.Mutex
	last    int                       // guarded by mu
	waiting map[int]chan<- pageAnswer // guarded by mu
}

// pageAnswer is what a page answered to a command.
type pageAnswer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

// launch starts a browser, chromium or firefox, that ends with the test. start
// is what starts its process: in another network namespace, say.
func launch(t *testing.T, which string, start func(*exec.Cmd) error) *browser {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, "node", "browser/driver.mjs", which)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err, err2, start(cmd)); err != nil {
		t.Fatal("start the browser:", err)
	}
	b := &browser{in: in, end: make(chan struct{}), waiting: map[int]chan<- pageAnswer{}}
	go b.read(out)
	t.Cleanup(func() {
		defer stop()
		_ = in.Close() // the driver closes the browser and ends
		select {
		case <-b.end:
		case <-time.After(harness.Patience):
			t.Error("the browser does not end")
			stop()
			<-b.end
		}
		_ = cmd.Wait()
	})
	return b
}

// read gives answers to who waits for them.
func (b *browser) read(out io.Reader) {
	defer close(b.end)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var a pageAnswer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			fmt.Fprintln(os.Stderr, "the browser's driver prints", lines.Text())
			continue
		}
		b.mu.Lock()
		if waits := b.waiting[a.ID]; waits != nil {
			waits <- a
		}
		delete(b.waiting, a.ID)
		b.mu.Unlock()
	}
}

// do has a page of the browser do something and reads its result into out.
func (b *browser) do(t *testing.T, page string, out any, what string, args ...any) {
	t.Helper()
	answer := make(chan pageAnswer, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = answer
	b.mu.Unlock()
	line, err := json.Marshal(object{"id": id, "page": page, "do": what, "args": append([]any{}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.in.Write(append(line, '\n')); err != nil {
		t.Fatal("command the browser:", err)
	}
	select {
	case a := <-answer:
		if a.Error != "" {
			t.Fatalf("%s does %s%v: %s", page, what, args, a.Error)
		}
		if out == nil {
			return
		}
		if err := json.Unmarshal(a.Result, out); err != nil {
			t.Fatalf("%s does %s: %v: %s", page, what, err, a.Result)
		}
	case <-b.end:
		t.Fatalf("%s does %s: the browser ended", page, what)
	case <-time.After(2 * harness.Patience):
		t.Fatalf("%s does %s: no answer", page, what)
	}
}

// member is somebody who takes part in a call with a page.
type member struct {
	*browser
	*jsonClient
	name     string
	demoCall object
	payload  object
	endpoint string          // of its camera, or screen
	camera   int             // SSRC that it arrives with
	known    map[string]bool // what it receives
}

// media is what a member sends, and how it makes its connection.
type media struct {
	Style    string  `json:"style"`             // offers or answers
	Setup    string  `json:"setup,omitempty"`   // DTLS role, other than the style's: active or passive
	Numbers  string  `json:"numbers,omitempty"` // own: what the browser has other numbers for is not used
	Hertz    int     `json:"hertz,omitempty"`   // 0 is the microphone
	Camera   *camera `json:"camera,omitempty"`
	Screen   *camera `json:"screen,omitempty"` // instead of sound
	Layers   int     `json:"layers,omitempty"`
	Bitrates []int   `json:"bitrates,omitempty"` // limits of the layers, lowest first
}

type camera struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	FPS    int `json:"fps"`
}

// enter signs a person in and joins the call of @demo with a page.
func (b *browser) enter(t *testing.T, s *harness.Server, name string, phone harness.Phone, m media) *member {
	t.Helper()
	c := newJSONClient(t, s, phone, name)
	v := &member{browser: b, jsonClient: c, name: name, demoCall: c.demo(t), known: map[string]bool{}}
	v.page(t, &v.payload, "prepare", m)
	v.connect(t, v.must(t, "phone.joinGroupCall", object{
		"call": v.demoCall, "join_as": object{"_": "inputPeerSelf"}, "video_stopped": m.Camera == nil, "params": v.params(t),
	}))
	return v
}

// present joins a member's screen, with a page and a connection of its own.
func (v *member) present(t *testing.T, m media) *member {
	t.Helper()
	s := &member{browser: v.browser, jsonClient: v.jsonClient, name: v.name + "'s screen", demoCall: v.demoCall}
	s.page(t, &s.payload, "prepare", m)
	s.connect(t, v.must(t, "phone.joinGroupCallPresentation", object{"call": v.demoCall, "params": s.params(t)}))
	return s
}

// params returns the join payload as methods take it.
func (v *member) params(t *testing.T) object {
	t.Helper()
	params, err := json.Marshal(v.payload)
	if err != nil {
		t.Fatal(err)
	}
	return object{"_": "dataJSON", "data": string(params)}
}

// connect makes the connection that a join was answered with.
func (v *member) connect(t *testing.T, joined object) {
	t.Helper()
	text, _ := pick(joined["updates"], "updateGroupCallConnection")["params"].(object)
	data, _ := text["data"].(string)
	var answer struct {
		object
		Video struct{ Endpoint string }
	}
	if err := errors.Join(json.Unmarshal([]byte(data), &answer.object), json.Unmarshal([]byte(data), &answer)); err != nil {
		t.Fatalf("join answer %s: %v", joined, err)
	}
	v.endpoint, v.camera = answer.Video.Endpoint, firstLayer(v.payload)
	v.page(t, nil, "connect", answer.object)
}

// page has the member's page do something.
func (v *member) page(t *testing.T, out any, what string, args ...any) {
	t.Helper()
	v.do(t, v.name, out, what, args...)
}

// source returns the SSRC of the member's sound as the API has it.
func (v *member) source() int {
	n, _ := v.payload["ssrc"].(float64)
	return int(n)
}

// list returns who is in the call, and the users of the list.
func (v *member) list(t *testing.T) (participants []object, users any) {
	t.Helper()
	listed := v.must(t, "phone.getGroupParticipants", object{
		"call": v.demoCall, "ids": []any{}, "sources": []any{}, "offset": "", "limit": 100,
	})
	all, _ := listed["participants"].([]any)
	for _, p := range all {
		if p, ok := p.(object); ok {
			participants = append(participants, p)
		}
	}
	return participants, listed["users"]
}

// receive has the page receive the sound of all others in the call, and their
// videos, as the list of participants has them. What it receives it keeps.
func (v *member) receive(t *testing.T) {
	t.Helper()
	var others []object
	add := func(kind string, other object) {
		key := fmt.Sprint(kind, other["endpoint"], other["source"])
		if !v.known[key] {
			v.known[key] = true
			other["kind"] = kind
			others = append(others, other)
		}
	}
	participants, _ := v.list(t)
	for _, p := range participants {
		if p["self"] == true {
			continue
		}
		add("audio", object{"source": p["source"], "endpoint": fmt.Sprint(p["source"])})
		for _, of := range []string{"video", "presentation"} {
			if video, ok := p[of].(object); ok {
				add("video", object{"endpoint": video["endpoint"], "groups": video["source_groups"]})
			}
		}
	}
	if len(others) > 0 {
		v.page(t, nil, "receive", others)
	}
}

// peer returns the participant that speaks with a source.
func (v *member) peer(t *testing.T, source int) object {
	t.Helper()
	participants, users := v.list(t)
	for _, p := range participants {
		who, _ := p["peer"].(object)
		if p["source"] != float64(source) {
			continue
		}
		for _, u := range users.([]any) {
			if u, _ := u.(object); u["id"] == who["user_id"] {
				return object{"_": "inputPeerUser", "user_id": u["id"], "access_hash": u["access_hash"]}
			}
		}
	}
	t.Fatalf("nobody has source %d: %v", source, participants)
	return nil
}

// heard is what a page hears of one source.
type heard struct {
	Hertz int
	Level float64 // dBFS
}

// ear is somebody who listens for a tone from one source.
type ear struct {
	who           *member
	source, hertz int
}

// hears tells why not if the tone is not heard right now.
func (e ear) hears(t *testing.T) string {
	t.Helper()
	var h heard
	e.who.page(t, &h, "hear", e.source)
	if h.Hertz < e.hertz-15 || h.Hertz > e.hertz+15 || h.Level < -50 || h.Level > 0 {
		return fmt.Sprintf("%v hears %+v", e, h)
	}
	return ""
}

func (e ear) String() string { return fmt.Sprintf("%s for %d Hz of %d", e.who.name, e.hertz, e.source) }

// hears waits until a tone comes from a source.
func (v *member) hears(t *testing.T, source, hertz int) {
	t.Helper()
	harness.Eventually(t, func() string { return ear{v, source, hertz}.hears(t) })
}

// silent waits until nothing louder than noise comes from a source for a while.
func (v *member) silent(t *testing.T, source int) {
	t.Helper()
	const long, noise = 1500 * time.Millisecond, -80
	since := time.Now()
	harness.Within(t, 10*time.Second, func() string {
		var h heard
		v.page(t, &h, "hear", source)
		if h.Level > noise {
			since = time.Now()
			return fmt.Sprintf("%s hears %+v of %d", v.name, h, source)
		}
		if quiet := time.Since(since); quiet < long {
			return fmt.Sprintf("%s hears nothing of %d for only %v", v.name, source, quiet)
		}
		return ""
	})
}

// inbound is what a browser counts of one source it receives.
type inbound struct {
	AudioLevel            float64
	TotalSamples          float64 `json:"totalSamplesReceived"`
	ConcealedSamples      float64
	SilentConcealed       float64 `json:"silentConcealedSamples"`
	PacketsReceived       int
	PacketsLost           int
	FramesDecoded         int
	KeyFramesDecoded      int
	FramesDropped         int
	FrameWidth            int
	FrameHeight           int
	FreezeCount           int
	TotalFreezes          float64 `json:"totalFreezesDuration"` // seconds
	PLICount              int
	NACKCount             int
	DecoderImplementation string
}

// stats returns the browser's numbers of a source.
func (v *member) stats(t *testing.T, source int) (in inbound) {
	t.Helper()
	v.page(t, &in, "stats", source)
	return in
}
