package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/e2e/harness"
)

// actions are the constructors of service messages that the scenarios meet.
const (
	actionCall      = "messageActionGroupCall"
	actionScheduled = "messageActionGroupCallScheduled"
)

// troupe is a supergroup with an owner, a manager of its calls and a member.
type troupe struct {
	owner, manager, member Client
	chat                   Chat // as the owner sees it
	theirs, members        Chat // as the manager and the member see it
}

// gather signs three people in, over TCP and WebSocket, and puts them into a
// new supergroup.
func gather(t *testing.T, s *harness.Server, dial Dial, title string) *troupe {
	t.Helper()
	owner := Who{Name: "Owner", Phone: harness.NewPhone()}
	manager := Who{Name: "Manager", Phone: harness.NewPhone(), WebSocket: true}
	member := Who{Name: "Member", Phone: harness.NewPhone(), WebSocket: true}
	g := &troupe{owner: dial(t, s, owner), manager: dial(t, s, manager), member: dial(t, s, member)}
	ctx := patience(t)
	g.chat = must(g.owner.CreateSupergroup(ctx, title))(t, "create a supergroup")
	for _, who := range []Who{manager, member} {
		user := must(g.owner.FindUser(ctx, who.Phone.Number))(t, "find "+who.Name)
		done(t, "invite "+who.Name, g.owner.Invite(ctx, g.chat, user))
		if who.Name == manager.Name {
			done(t, "promote "+who.Name, g.owner.Promote(ctx, g.chat, user))
		}
	}
	g.theirs = must(g.manager.Chat(ctx, title))(t, "find the chat among the manager's dialogs")
	g.members = must(g.member.Chat(ctx, title))(t, "find the chat among the member's dialogs")
	return g
}

// schedule announces a call in an hour, which the member subscribes to. It
// returns the call as the member addresses it.
func (g *troupe) schedule(t *testing.T, title string) Call {
	t.Helper()
	at := time.Now().Add(time.Hour)
	told := must(g.owner.Schedule(patience(t), g.chat, title, at))(t, "schedule a call")
	made := told.OneCall(t)
	if made.ScheduleDate != int(at.Unix()) || made.Version < 1 || made.Count != 0 || made.Title != title {
		t.Errorf("scheduled call: %+v", made)
	}
	if m := told.OneMessage(t); m.Action != actionScheduled || m.Call != made.Call || m.ScheduleDate != int(at.Unix()) {
		t.Errorf("message of the scheduled call: %+v", m)
	}
	g.member.News().Call(t, "the schedule", func(c CallState) bool {
		return c.ID == made.ID && c.ScheduleDate == made.ScheduleDate
	})
	g.member.News().Message(t, actionScheduled, func(m Message) bool {
		return m.Action == actionScheduled && m.Call.ID == made.ID
	})
	full := must(g.member.Full(patience(t), g.members))(t, "get the full chat")
	if full.Call == nil || full.Call.ID != made.ID {
		t.Fatalf("call of the full chat: %+v, want %d", full.Call, made.ID)
	}
	call := *full.Call
	if c := must(g.member.Chat(patience(t), g.chat.Title))(t, "get the dialog"); !c.CallActive || c.CallNotEmpty {
		t.Errorf("chat with a scheduled call: %+v", c)
	}
	sub := must(g.member.Subscribe(patience(t), call, true))(t, "subscribe").OneCall(t)
	if !sub.Subscribed || sub.ScheduleDate != made.ScheduleDate {
		t.Errorf("call after subscribing: %+v", sub)
	}
	if c := must(g.member.Get(patience(t), call))(t, "get the call"); !c.Subscribed || c.ScheduleDate == 0 {
		t.Errorf("scheduled call as the member gets it: %+v", c)
	}
	return call
}

// Seed is the main job: a scheduled call is started early, and everyone who
// has to hears of it.
func Seed(t *testing.T, s *harness.Server, dial Dial) {
	g := gather(t, s, dial, "Seed")
	call := g.schedule(t, "Weekly")
	refusedBefore(t, s, dial, g, call)

	told := must(g.manager.Start(patience(t), call))(t, "start the call")
	if c := told.OneCall(t); c.ID != call.ID || c.ScheduleDate != 0 || c.Discarded || c.Subscribed {
		t.Errorf("started call: %+v", c)
	}
	if m := told.OneMessage(t); m.Action != actionCall || m.Call.ID != call.ID || m.Duration != -1 {
		t.Errorf("message of the started call: %+v", m)
	}
	g.started(t, call)

	_, err := g.owner.Start(patience(t), call)
	Refused(t, "start again", err, 403, "GROUPCALL_ALREADY_STARTED")
	_, err = g.member.Subscribe(patience(t), call, false)
	Refused(t, "unsubscribe from a started call", err, 403, "GROUPCALL_ALREADY_STARTED")

	g.discarded(t, call)
}

// refusedBefore tries what must not start the call.
func refusedBefore(t *testing.T, s *harness.Server, dial Dial, g *troupe, call Call) {
	t.Helper()
	_, err := g.member.Start(patience(t), call)
	Refused(t, "a plain member starts", err, 403, "GROUPCALL_FORBIDDEN")
	_, err = g.manager.Start(patience(t), Call{call.ID + 1, call.AccessHash})
	Refused(t, "start a wrong id", err, 400, "GROUPCALL_INVALID")
	_, err = g.manager.Start(patience(t), Call{call.ID, call.AccessHash ^ 1})
	Refused(t, "start with a wrong hash", err, 400, "GROUPCALL_INVALID")
	for _, in := range []time.Duration{time.Second, 9 * 24 * time.Hour} {
		_, err = g.owner.Schedule(patience(t), g.chat, "Never", time.Now().Add(in))
		Refused(t, fmt.Sprintf("schedule in %v", in), err, 400, "SCHEDULE_DATE_INVALID")
	}

	bot := dial(t, s, Who{Name: "Bot", Token: "4242:token"})
	_, err = bot.Start(patience(t), call)
	Refused(t, "a bot starts", err, 400, "BOT_METHOD_INVALID")
	done(t, "close the bot", bot.Close())
	stranger := dial(t, s, Who{Name: "Stranger", Stranger: true})
	_, err = stranger.Start(patience(t), call)
	Refused(t, "a stranger starts", err, 401, "AUTH_KEY_UNREGISTERED")
	done(t, "close the stranger", stranger.Close())
}

// started checks that owner and member hold the started call.
func (g *troupe) started(t *testing.T, call Call) {
	t.Helper()
	for _, c := range []Client{g.owner, g.member} {
		g.holds(t, c, call)
	}
	notice := g.member.News().Message(t, "a notice from 777000", func(m Message) bool {
		return m.From == 777000 && m.Channel == 0
	})
	if notice.Text == "" {
		t.Errorf("the notice says nothing: %+v", notice)
	}
	notices := must(g.member.Notices(patience(t)))(t, "read the notices")
	if !slices.ContainsFunc(notices, func(m Message) bool { return m.ID == notice.ID && m.Text == notice.Text }) {
		t.Errorf("notice %+v is not among %+v", notice, notices)
	}
}

// holds checks that one client was told of the started call, and finds it by
// every way.
func (g *troupe) holds(t *testing.T, c Client, call Call) {
	t.Helper()
	c.News().Call(t, "the start", func(c CallState) bool { return c.ID == call.ID && c.ScheduleDate == 0 && !c.Discarded })
	pushed := c.News().Message(t, actionCall, func(m Message) bool { return m.Action == actionCall && m.Call.ID == call.ID })
	chat := must(c.Chat(patience(t), g.chat.Title))(t, "get the dialog")
	if !chat.CallActive {
		t.Errorf("chat with a started call: %+v", chat)
	}
	full := must(c.Full(patience(t), chat))(t, "get the full chat")
	if full.Call == nil || full.Call.ID != call.ID {
		t.Fatalf("call of the full chat: %+v, want %d", full.Call, call.ID)
	}
	got := must(c.Get(patience(t), *full.Call))(t, "get the call")
	if got.ID != call.ID || got.ScheduleDate != 0 || got.Subscribed || got.Discarded || got.Version < 1 {
		t.Errorf("started call as fetched: %+v", got)
	}
	history := must(c.History(patience(t), chat))(t, "read the history")
	if len(history) < 2 || history[0].ID != pushed.ID || history[0].Action != actionCall || history[1].Action != actionScheduled {
		t.Errorf("history with a started call: %+v", history)
	}
}

// discarded ends the call and checks that it is gone everywhere.
func (g *troupe) discarded(t *testing.T, call Call) {
	t.Helper()
	told := must(g.manager.Discard(patience(t), call))(t, "discard the call")
	end := told.OneCall(t)
	if !end.Discarded || end.ID != call.ID {
		t.Errorf("discarded call: %+v", end)
	}
	if m := told.OneMessage(t); m.Action != actionCall || m.Duration != end.Duration {
		t.Errorf("message of the discarded call: %+v, want duration %d", m, end.Duration)
	}
	g.member.News().Call(t, "the end", func(c CallState) bool { return c == end })
	g.member.News().Message(t, "a duration", func(m Message) bool { return m.Call.ID == call.ID && m.Duration == end.Duration })
	if c := must(g.member.Chat(patience(t), g.chat.Title))(t, "get the dialog"); c.CallActive || c.CallNotEmpty {
		t.Errorf("chat without a call: %+v", c)
	}
	if full := must(g.member.Full(patience(t), g.members))(t, "get the full chat"); full.Call != nil {
		t.Errorf("call of the full chat after the end: %+v", full.Call)
	}
	_, err := g.manager.Discard(patience(t), call)
	Refused(t, "discard again", err, 400, "GROUPCALL_ALREADY_DISCARDED")
	_, err = g.manager.Start(patience(t), call)
	if err == nil || !strings.Contains(err.Error(), "GROUPCALL_") {
		t.Errorf("start a discarded call: %v", err)
	}
}
