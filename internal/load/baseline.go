package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// baseline is the SFU that anybody can write with pion in an afternoon:
// ICE-lite on one UDP port, a TrackLocalStaticRTP per publisher, no
// interceptors (perf.md 4). It is what Parley is compared with.
type baseline struct {
	api *webrtc.API

	mu    sync.Mutex
	rooms map[string][]*webrtc.TrackLocalStaticRTP // by publisher; guarded by mu
	peers map[string]*webrtc.PeerConnection        // guarded by mu
}

// ServeBaseline runs the baseline on free ports of the loopback address until
// ctx ends. ready is called with the URL of its API.
func ServeBaseline(ctx context.Context, ready func(url string)) error {
	media, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("open media socket: %w", err)
	}
	defer func() { _ = media.Close() }()
	_ = media.SetReadBuffer(bufferSize)
	_ = media.SetWriteBuffer(bufferSize)
	b, err := newBaseline(media)
	if err != nil {
		return err
	}
	defer b.close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open api socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /join", b.join)
	mux.HandleFunc("POST /leave", b.leave)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: requestTime}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	ready("http://" + listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve baseline: %w", err)
	}
	return nil
}

func newBaseline(media net.PacketConn) (*baseline, error) {
	var set webrtc.SettingEngine
	set.SetIncludeLoopbackCandidate(true)
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	set.LoggerFactory = quiet
	set.SetICEUDPMux(webrtc.NewICEUDPMux(quiet.NewLogger("mux"), media))
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	set.SetLite(true)
	codecs := new(webrtc.MediaEngine)
	for _, c := range []webrtc.RTPCodecParameters{
		{RTPCodecCapability: capability(false), PayloadType: opusType},
		{RTPCodecCapability: capability(true), PayloadType: vp8Type},
	} {
		kind := webrtc.RTPCodecTypeAudio
		if c.PayloadType == vp8Type {
			kind = webrtc.RTPCodecTypeVideo
		}
		if err := codecs.RegisterCodec(c, kind); err != nil {
			return nil, fmt.Errorf("register codec: %w", err)
		}
	}
	return &baseline{
		api: webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(codecs),
			webrtc.WithInterceptorRegistry(new(interceptor.Registry))),
		rooms: map[string][]*webrtc.TrackLocalStaticRTP{}, peers: map[string]*webrtc.PeerConnection{},
	}, nil
}

func capability(video bool) webrtc.RTPCodecCapability {
	if video {
		return webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90_000}
	}
	return webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2}
}

var errQuery = errors.New("wrong query")

// seat is what a request says about a participant.
type seat struct {
	room, key                 string
	number, publishers, hears int
	video                     bool
}

func parseSeat(r *http.Request) (s seat, err error) {
	q := r.URL.Query()
	s.room, s.video = q.Get("room"), q.Get("video") == "true"
	s.key = s.room + "/" + q.Get("seat")
	for name, to := range map[string]*int{"seat": &s.number, "publishers": &s.publishers, "hears": &s.hears} {
		if *to, err = strconv.Atoi(q.Get(name)); err != nil || *to < 0 || *to > maxSeats {
			return s, errQuery
		}
	}
	return s, nil
}

// join answers the offer of one participant.
func (b *baseline) join(w http.ResponseWriter, r *http.Request) {
	s, err := parseSeat(r)
	var offer []byte
	if err == nil {
		offer, err = io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	}
	var answer string
	if err == nil {
		answer, err = b.answer(s, string(offer))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, answer)
}

// answer makes a participant's connection.
func (b *baseline) answer(s seat, offer string) (string, error) {
	tracks, err := b.tracks(s)
	if err != nil {
		return "", err
	}
	pc, err := b.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", fmt.Errorf("make connection: %w", err)
	}
	b.mu.Lock()
	b.peers[s.key] = pc
	b.mu.Unlock()
	if err = wire(pc, s, tracks); err != nil {
		return "", err
	}
	if err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("take offer: %w", err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("make answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err = pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("set answer: %w", err)
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

// wire gives a connection the tracks it hears, and forwards what it publishes.
func wire(pc *webrtc.PeerConnection, s seat, tracks []*webrtc.TrackLocalStaticRTP) error {
	if s.number < len(tracks) {
		own := tracks[s.number]
		_, err := pc.AddTransceiverFromKind(own.Kind(), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return fmt.Errorf("add own track: %w", err)
		}
		pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { forward(t, own) })
	}
	heard := 0
	for i, t := range tracks {
		if i == s.number || heard == s.hears {
			continue
		}
		heard++
		tr, err := pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return fmt.Errorf("add track: %w", err)
		}
		go drain(tr.Sender())
	}
	return nil
}

// forward copies packets until the connection ends.
func forward(from *webrtc.TrackRemote, to *webrtc.TrackLocalStaticRTP) {
	b := make([]byte, maxPacket)
	for {
		n, _, err := from.Read(b)
		if err != nil {
			return
		}
		_, _ = to.Write(b[:n])
	}
}

// drain reads RTCP, as pion's users have to.
func drain(s *webrtc.RTPSender) {
	b := make([]byte, maxPacket)
	for {
		if _, _, err := s.Read(b); err != nil {
			return
		}
	}
}

// tracks returns the tracks of a room: one for each publisher to come.
func (b *baseline) tracks(s seat) ([]*webrtc.TrackLocalStaticRTP, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.rooms[s.room]); i < s.publishers; i++ {
		t, err := webrtc.NewTrackLocalStaticRTP(capability(s.video), strconv.Itoa(i), strconv.Itoa(i))
		if err != nil {
			return nil, fmt.Errorf("make track: %w", err)
		}
		b.rooms[s.room] = append(b.rooms[s.room], t)
	}
	return b.rooms[s.room], nil
}

// leave ends a participant's connection.
func (b *baseline) leave(w http.ResponseWriter, r *http.Request) {
	s, err := parseSeat(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	pc := b.peers[s.key]
	delete(b.peers, s.key)
	b.mu.Unlock()
	if pc != nil {
		_ = pc.Close()
	}
}

func (b *baseline) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pc := range b.peers {
		_ = pc.Close()
	}
}
