package updates

import (
	"context"
	"fmt"

	"parley/internal/peer"
	"parley/internal/tg"
)

// FillChannel fills in what the channel's history counts for viewer: pts, read
// marks and unread messages.
func (s *Service) FillChannel(ctx context.Context, viewer int64, full *tg.ChannelFull) error {
	d, err := s.dialogs.Dialog(ctx, viewer, peer.OfChannel(full.ID))
	if err != nil {
		return fmt.Errorf("read state of channel %d: %w", full.ID, err)
	}
	full.Pts, full.UnreadCount = d.Pts, d.Unread
	full.ReadInboxMaxID, full.ReadOutboxMaxID = d.ReadInbox, d.ReadOutbox
	return nil
}
