package mtproto

import (
	"encoding/binary"

	"github.com/gotd/td/bin"
)

// Constructor ids of the service messages.
const (
	idContainer       = 0x73f1f8dc
	idGzipped         = 0x3072cfa1
	idRPCResult       = 0xf35c6d01
	idRPCError        = 0x2144ca19
	idMsgsAck         = 0x62d6b459
	idBadMsg          = 0xa7eff811
	idBadSalt         = 0xedab447b
	idNewSession      = 0x9ec20908
	idStateReq        = 0xda69fb52
	idStateInfo       = 0x04deb57d
	idAllInfo         = 0x8cc0d131
	idDetailedInfo    = 0x276d3ec6
	idNewDetailedInfo = 0x809db6df
	idResendReq       = 0x7d861a08
	idResendAnsReq    = 0x8610baeb
	idDropAnswer      = 0x58e4a740
	idAnswerUnknown   = 0x5e2ad36e
	idAnswerRunning   = 0xcd78e586
	idAnswerDropped   = 0xa43ad8b7
	idPing            = 0x7abe77ec
	idPingDelay       = 0xf3427b8c
	idPong            = 0x347773c5
	idGetSalts        = 0xb921bd04
	idFutureSalts     = 0xae500895
	idDestroySession  = 0xe7512126
	idSessionOK       = 0xe22045fc
	idSessionNone     = 0x62d350c9
	idDestroyKey      = 0xd1435160
	idKeyOK           = 0xf660e1d4
	idKeyFail         = 0xea109b13
	idHTTPWait        = 0x9299359f
	idBoolTrue        = 0x997275b5
	idVector          = 0x1cb5c415
)

// constructor returns the constructor id that body starts with, 0 if it is too short.
func constructor(body []byte) uint32 {
	if len(body) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(body)
}

// words returns a message of the constructor id and longs.
func words(id uint32, longs ...int64) []byte {
	b := make([]byte, 0, 4+8*len(longs))
	b = binary.LittleEndian.AppendUint32(b, id)
	for _, v := range longs {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// msgsAck#62d6b459 msg_ids:Vector<long> = MsgsAck;
func msgsAck(ids []int64) []byte {
	b := make([]byte, 0, 12+8*len(ids))
	b = binary.LittleEndian.AppendUint32(b, idMsgsAck)
	b = binary.LittleEndian.AppendUint32(b, idVector)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(ids)))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint64(b, uint64(id))
	}
	return b
}

// readIDs reads a vector of message ids.
func readIDs(b *bin.Buffer, most int) ([]int64, error) {
	n, err := b.VectorHeader()
	if err != nil {
		return nil, err
	}
	if n > most || n > len(b.Buf)/8 {
		return nil, errMalformed
	}
	ids := make([]int64, n)
	for i := range ids {
		if ids[i], err = b.Long(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// badMsg returns bad_msg_notification#a7eff811 bad_msg_id:long bad_msg_seqno:int error_code:int.
func badMsg(id int64, seqno int32, code int) []byte {
	b := words(idBadMsg, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(seqno))
	return binary.LittleEndian.AppendUint32(b, uint32(code))
}

// badSalt returns bad_server_salt#edab447b, which is badMsg and the right salt.
func badSalt(id int64, seqno int32, salt int64) []byte {
	b := badMsg(id, seqno, codeSalt)
	binary.LittleEndian.PutUint32(b, idBadSalt)
	return binary.LittleEndian.AppendUint64(b, uint64(salt))
}
