package updates

import (
	"context"

	"parley/internal/call"
	"parley/internal/event"
	"parley/internal/message"
	"parley/internal/peer"
	"parley/internal/tg"
)

// GroupCall returns a call as viewer sees it, never in the min form.
// subscribed tells whether viewer wants a notice when it starts. A viewer
// whose rights cannot be found out is shown none.
func (s *Service) GroupCall(ctx context.Context, info call.Info, viewer int64, subscribed bool) tg.GroupCallClass {
	hash := s.hasher.Of(peer.Call, int64(info.ID))
	if info.State == call.Discarded {
		return &tg.GroupCallDiscarded{ID: int64(info.ID), AccessHash: hash, Duration: info.Duration()}
	}
	g := &tg.GroupCall{
		ID: int64(info.ID), AccessHash: hash, Version: max(info.Version, 1),
		JoinMuted:         info.JoinMuted,
		ParticipantsCount: max(info.Count, 0),
		CanStartVideo:     info.VideoLimit <= 0 || info.Videos < info.VideoLimit,
		UnmutedVideoCount: new(info.Videos), UnmutedVideoLimit: info.VideoLimit,
	}
	if !info.Broadcast { // fixed in livestreams
		rights, err := s.peers.Rights(ctx, viewer, info.Chat)
		g.CanChangeJoinMuted = err == nil && rights.ManageCall
	}
	if info.Title != "" {
		g.Title = new(info.Title)
	}
	if info.State == call.Scheduled {
		g.ScheduleDate = new(int(info.ScheduleDate))
		g.ScheduleStartSubscribed = subscribed
	}
	return g
}

// InputGroupCall returns how results and updates name a call.
func (s *Service) InputGroupCall(id call.ID) *tg.InputGroupCall {
	return &tg.InputGroupCall{ID: int64(id), AccessHash: s.hasher.Of(peer.Call, int64(id))}
}

// Participant returns an entry of a call's list as viewer sees it, with what
// viewer set for it.
func (s *Service) Participant(p call.Participant, viewer int64, personal event.Personal) tg.GroupCallParticipant {
	g := tg.GroupCallParticipant{
		Muted: p.Muted, CanSelfUnmute: p.Muted && p.CanSelfUnmute,
		Left: p.Left, JustJoined: p.JustJoined, Versioned: p.Versioned,
		MutedByYou: personal.MutedByYou, Self: p.User == viewer, VideoJoined: p.VideoJoined,
		Peer: message.Peer(p.Peer), Date: int(p.Date), Source: int(p.Source),
		Video: video(p.Video), Presentation: video(p.Presentation),
	}
	if p.ActiveDate != 0 {
		g.ActiveDate = new(int(p.ActiveDate))
	}
	switch { // the viewer's own volume wins over an admin's
	case personal.Volume != 0:
		g.Volume = new(personal.Volume)
	case p.Volume != 0:
		g.Volume, g.VolumeByAdmin = new(p.Volume), true
	}
	if p.About != "" {
		g.About = new(p.About)
	}
	if p.HandRating != 0 {
		g.RaiseHandRating = new(p.HandRating)
	}
	return g
}

// video returns what a participant's camera or screen sends; nil when nothing.
func video(v *call.Video) *tg.GroupCallParticipantVideo {
	if v == nil {
		return nil
	}
	g := &tg.GroupCallParticipantVideo{
		Paused: v.Paused, Endpoint: v.Endpoint,
		SourceGroups: make([]tg.GroupCallParticipantVideoSourceGroup, len(v.Groups)),
	}
	for i, group := range v.Groups {
		sources := make([]int, len(group.Sources))
		for j, source := range group.Sources {
			sources[j] = int(source)
		}
		g.SourceGroups[i] = tg.GroupCallParticipantVideoSourceGroup{Semantics: group.Semantics, Sources: sources}
	}
	if v.AudioSource != 0 {
		g.AudioSource = new(int(v.AudioSource))
	}
	return g
}
