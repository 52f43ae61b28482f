package e2e

import (
	"fmt"
	"os/exec"
	"testing"

	"parley/e2e/harness"
)

// TestBrowserSound lets members of both kinds of web clients hear each other:
// those that make every offer, whose server is the DTLS client, and those that
// answer the server's, and are the DTLS client themselves.
func TestBrowserSound(t *testing.T) {
	s := harness.Start(t)
	startDemo(t, s)
	b := launch(t, "chromium", (*exec.Cmd).Start)
	owner := b.enter(t, s, "Offers", harness.DemoOwner, media{Style: "offers", Hertz: 660})
	guest := b.enter(t, s, "Answers", harness.NewPhone(), media{Style: "answers", Hertz: 880})
	late := b.enter(t, s, "Microphone", harness.NewPhone(), media{Style: "answers"})
	for _, v := range []*member{owner, guest, late} {
		v.receive(t)
	}
	owner.hears(t, guest.source(), 880)
	guest.hears(t, owner.source(), 660)
	late.hears(t, owner.source(), 660)
	for _, v := range []*member{owner, guest} {
		v.hears(t, v.demoSource(t, owner, guest, late), toneHertz)
		harness.Eventually(t, func() string {
			if in := v.stats(t, late.source()); in.AudioLevel < 0.01 {
				return fmt.Sprintf("%s has of a microphone: %+v", v.name, in)
			}
			return ""
		})
	}

	force := func(on bool) {
		owner.must(t, "phone.editGroupCallParticipant", object{
			"call": owner.demoCall, "participant": owner.peer(t, guest.source()), "muted": on,
		})
	}
	self := object{"call": guest.demoCall, "participant": object{"_": "inputPeerSelf"}, "muted": false}
	force(true)
	owner.silent(t, guest.source())
	if answer, status := guest.call(t, "phone.editGroupCallParticipant", self); status == 200 {
		t.Errorf("who was silenced unmutes itself: %v", answer)
	}
	owner.silent(t, guest.source())
	late.hears(t, owner.source(), 660)
	force(false)
	guest.must(t, "phone.editGroupCallParticipant", self)
	owner.hears(t, guest.source(), 880)
	late.hears(t, guest.source(), 880)
}

// demoSource returns the source of who is none of the members.
func (v *member) demoSource(t *testing.T, members ...*member) int {
	t.Helper()
	known := map[int]bool{}
	for _, m := range members {
		known[m.source()] = true
	}
	participants, _ := v.list(t)
	for _, p := range participants {
		if n, _ := p["source"].(float64); !known[int(n)] {
			return int(n)
		}
	}
	t.Fatalf("nobody plays: %v", participants)
	return 0
}
