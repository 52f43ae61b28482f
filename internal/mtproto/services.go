package mtproto

import "github.com/gotd/td/bin"

// service handles a service message, of which b holds what follows the
// constructor id. An error ends the connection.
type service func(s *session, c *conn, m incoming, b *bin.Buffer) error

// services handles every message that is not a query.
var services = map[uint32]service{
	idMsgsAck:         (*session).onAck,
	idStateReq:        (*session).onStateReq,
	idStateInfo:       ignore,
	idAllInfo:         ignore,
	idDetailedInfo:    ignore,
	idNewDetailedInfo: ignore,
	idRPCResult:       ignore,
	idResendReq:       (*session).onResendReq,
	idResendAnsReq:    (*session).onResendAnsReq,
	idDropAnswer:      (*session).onDropAnswer,
	idPing:            (*session).onPing,
	idPingDelay:       (*session).onPingDelay,
	idGetSalts:        (*session).onGetSalts,
	idDestroySession:  (*session).onDestroySession,
	idDestroyKey:      (*session).onDestroyKey,
	idHTTPWait:        (*session).onHTTPWait,
}

// ignore handles what tells the server nothing: it asks clients for no states.
func ignore(*session, *conn, incoming, *bin.Buffer) error { return nil }
