package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"parley/e2e/harness"
	"parley/e2e/harness/scenario"
)

// engine is an ntgcalls engine that does what it is told.
type engine struct {
	source int // as the API has it
	in     io.WriteCloser
	out    chan string // its lines
	log    bytes.Buffer
	cmd    *exec.Cmd
}

// startEngine lets an engine join the call of @demo.
func startEngine(t *testing.T, s *harness.Server, phone harness.Phone) *engine {
	t.Helper()
	e := &engine{out: make(chan string, 10)}
	e.cmd = command(t, python, "ntgcalls/obey.py", s.File(), t.TempDir(), phone.Number+":"+phone.Code)
	in, err := e.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.in, e.cmd.Stderr = in, &e.log
	if err := e.cmd.Start(); err != nil {
		t.Fatal("start an engine:", err)
	}
	go func() {
		defer close(e.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			e.out <- lines.Text()
		}
	}()
	source, err := strconv.ParseUint(e.line(t), 10, 32)
	if err != nil {
		t.Fatal("source of the engine:", err)
	}
	e.source = int(int32(uint32(source)))
	return e
}

// line returns the engine's next line.
func (e *engine) line(t *testing.T) string {
	t.Helper()
	select {
	case line, ok := <-e.out:
		if !ok {
			t.Fatalf("the engine ended: %v\n%s", e.cmd.Wait(), &e.log)
		}
		return line
	case <-time.After(2 * harness.Patience):
		t.Fatal("the engine says nothing")
	}
	return ""
}

// do has the engine wait for something.
func (e *engine) do(t *testing.T, what string, source int, more ...any) {
	t.Helper()
	if _, err := fmt.Fprintln(e.in, append([]any{what, uint32(int32(source))}, more...)...); err != nil {
		t.Fatal("tell the engine:", err)
	}
	if line := e.line(t); line != "done" {
		t.Fatalf("the engine says %q", line)
	}
}

// leave lets the engine leave the call.
func (e *engine) leave(t *testing.T) {
	t.Helper()
	_ = e.in.Close()
	for line := range e.out {
		t.Errorf("the engine says %q", line)
	}
	if err := e.cmd.Wait(); err != nil {
		t.Errorf("the engine ends: %v\n%s", err, &e.log)
	}
}

// grey checks that a video shows what an engine sends.
func (v *member) grey(t *testing.T, source int) {
	t.Helper()
	harness.Eventually(t, func() string {
		var c [3]int
		v.page(t, &c, "colour", source, 0.5, 0.5)
		for _, x := range c {
			if x < 175 || x > 207 { // of 180 between 16 and 235
				return fmt.Sprintf("%s sees the colour %v", v.name, c)
			}
		}
		return ""
	})
}

// video returns the endpoint of a participant's camera, and its SSRC.
func (v *member) video(t *testing.T, source int) (endpoint string, ssrc int) {
	t.Helper()
	participants, _ := v.list(t)
	for _, p := range participants {
		if video, ok := p["video"].(object); ok && p["source"] == float64(source) {
			endpoint, _ = video["endpoint"].(string)
			return endpoint, firstLayer(object{"ssrc-groups": video["source_groups"]})
		}
	}
	t.Fatalf("%d has no camera: %v", source, participants)
	return "", 0
}

// TestOneCall puts a native engine, a browser and gotd into one call: all hear
// each other, the engine and the browser see each other, and the engine sees
// the browser's screen beside its camera.
func TestOneCall(t *testing.T) {
	s := harness.Start(t)
	startDemo(t, s)
	guest, ok := dialer()(t, s, scenario.Who{Name: "Guest", Phone: harness.NewPhone()}).(*client)
	if !ok {
		t.Fatal("not gotd's client")
	}
	g := join(t, guest, guest.demo(t), "", nil)
	g.sound = toneFrames(t)
	defer g.speak(t)()
	gotd := int(int32(g.call.AudioSSRC()))
	const green, blue = 0, 111 // how bright the browser's pictures are; its camera's green has all of YUV 0
	web := launch(t, "chromium", (*exec.Cmd).Start).enter(t, s, "Web", harness.DemoOwner, hd("answers", toneHertz))
	e := startEngine(t, s, harness.NewPhone())
	e.do(t, "hears", web.source(), toneHertz)
	e.do(t, "hears", gotd, toneHertz)
	e.do(t, "sees", web.source(), "video", 1280, 720, green)
	web.receive(t)
	web.hears(t, e.source, 660)
	web.hears(t, gotd, toneHertz)
	endpoint, camera := web.video(t, e.source)
	web.page(t, nil, "want", object{endpoint: 720})
	web.sees(t, camera, 720)
	web.grey(t, camera)
	g.hears(t, e.source)
	g.hears(t, web.source())
	t.Logf("web has of the engine %+v and %+v", web.stats(t, e.source), web.stats(t, camera))

	screen := web.present(t, shared("offers"))
	e.do(t, "sees", web.source(), "presentation", 1280, 720, blue)
	e.do(t, "sees", web.source(), "video", 1280, 720, green)
	web.must(t, "phone.leaveGroupCallPresentation", object{"call": web.demoCall})
	screen.page(t, nil, "ended")
	e.do(t, "blind", web.source(), "presentation")
	e.do(t, "sees", web.source(), "video", 1280, 720, green)
	e.do(t, "hears", web.source(), toneHertz)
	e.leave(t)
	if err := g.call.Leave(t.Context()); err != nil {
		t.Error("leave the call:", err)
	}
}
