package mtproto

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gotd/td/bin"
)

// maxFutureSalts is how many salts a client may ask for.
const maxFutureSalts = 64

// onGetSalts handles get_future_salts#b921bd04 num:int = FutureSalts; the answer is
// future_salts#ae500895 req_msg_id:long now:int salts:vector<future_salt>, bare inside.
func (s *session) onGetSalts(c *conn, m incoming, b *bin.Buffer) error {
	n, err := b.Int()
	if err != nil {
		return fmt.Errorf("read number of salts: %w", err)
	}
	now := time.Now()
	all := s.key.salts.future(now, min(max(n, 1), maxFutureSalts))
	body := words(idFutureSalts, m.id)
	body = appendInt(body, int32(now.Unix()))
	body = appendInt(body, int32(len(all)))
	for _, salt := range all {
		body = appendInt(body, int32(salt.since))
		body = appendInt(body, int32(salt.until))
		body = binary.LittleEndian.AppendUint64(body, uint64(salt.salt))
	}
	c.post(s, &message{body: body, answers: m.id})
	return nil
}
