// Session descriptions as web clients make them: the browser's offer is bent to
// the numbers the whole network uses, and the other side's description is made
// from the join answer and the call's list of participants (media.md 2, 5).

// Payload types by codec; RTX has the next one.
const TYPES = { opus: 111, VP8: 100, VP9: 102, H264: 104 }
const VARIANTS = { VP9: /profile-id=0/, H264: /packetization-mode=1.*profile-level-id=42e01f/ }
const EXTENSIONS = ['ssrc-audio-level', 'abs-send-time', 'transport-wide-cc-extensions-01', 'urn:3gpp:video-orientation']

/** Splits a description into the session's lines and each media section's. */
export function split(sdp) {
  const sections = [[]]
  for (const line of sdp.split(/\r?\n/).filter(Boolean)) {
    if (line.startsWith('m=')) sections.push([])
    sections.at(-1).push(line)
  }
  return sections
}

const joined = (sections) => sections.flat().map((line) => line + '\r\n').join('')

/** Returns what follows the first line that starts with prefix. */
const value = (lines, prefix) => lines.find((line) => line.startsWith(prefix))?.slice(prefix.length)
const values = (lines, prefix) => lines.filter((l) => l.startsWith(prefix)).map((l) => l.slice(prefix.length))
const kind = (section) => section[0].match(/^m=(\w+)/)[1]

/** Gives an offer the network's numbers, and its video layers. */
export function bend(sdp, layers) {
  const [session, ...media] = split(sdp)
  return joined([session, ...media.map((s) => (kind(s) === 'application' ? s : layered(renumber(s), layers)))])
}

/** Keeps the codecs and extensions the network has, under its numbers. */
function renumber(section) {
  const types = new Map()
  for (const [codec, type] of Object.entries(TYPES)) {
    for (const map of values(section, 'a=rtpmap:')) {
      const [old, name] = map.split(/[ /]/)
      if (name !== codec || types.has(old) || [...types.values()].includes(String(type))) continue
      if (VARIANTS[codec] && !VARIANTS[codec].test(value(section, `a=fmtp:${old} `) ?? '')) continue
      types.set(old, String(type))
      const rtx = values(section, 'a=fmtp:').find((f) => f.endsWith(` apt=${old}`))
      if (rtx) types.set(rtx.split(' ')[0], String(type + 1))
    }
  }
  const [m, port, protocol] = section[0].split(' ')
  const kept = [[m, port, protocol, ...types.values()].join(' ')]
  for (const line of section.slice(1)) {
    const [, name, old, rest] = line.match(/^a=(rtpmap|fmtp|rtcp-fb):(\d+)(.*)/) ?? []
    if (name) {
      if (types.has(old)) {
        kept.push(`a=${name}:${types.get(old)}${rest.replace(/^ apt=(\d+)$/, (_, apt) => ` apt=${types.get(apt)}`)}`)
      }
    } else if (!line.startsWith('a=extmap:') || EXTENSIONS.some((e) => line.endsWith(e))) {
      kept.push(line)
    }
  }
  return kept
}

/** Turns the one video source of a section into layers of SSRCs. */
function layered(section, layers) {
  const first = value(section, 'a=ssrc-group:FID ')
  if (!first || layers < 2) return section
  const [primary, repair] = first.split(' ').map(Number)
  const attributes = values(section, `a=ssrc:${primary} `)
  const pairs = Array.from({ length: layers }, (_, i) => [primary + 2 * i, repair + 2 * i])
  const clean = section.filter((line) => !line.startsWith('a=ssrc'))
  return [
    ...clean,
    `a=ssrc-group:SIM ${pairs.map(([p]) => p).join(' ')}`,
    ...pairs.map((pair) => `a=ssrc-group:FID ${pair.join(' ')}`),
    ...pairs.flat().flatMap((ssrc) => attributes.map((a) => `a=ssrc:${ssrc} ${a}`)),
  ]
}

/** Makes the join payload of an offer; setup is the DTLS role to take. */
export function payload(sdp, setup) {
  const [session, ...media] = split(sdp)
  const lines = [...session, ...media[0]]
  const [hash, fingerprint] = value(lines, 'a=fingerprint:').split(' ')
  const made = {
    ufrag: value(lines, 'a=ice-ufrag:'), pwd: value(lines, 'a=ice-pwd:'), fingerprints: [{ hash, fingerprint, setup }],
  }
  const audio = media.find((s) => kind(s) === 'audio')
  const ssrc = audio && value(audio, 'a=ssrc:')
  if (ssrc) made.ssrc = signed(parseInt(ssrc, 10))
  const video = media.find((s) => kind(s) === 'video')
  const groups = video && values(video, 'a=ssrc-group:').map((g) => g.split(' '))
  if (groups?.length) {
    made['ssrc-groups'] = groups.map(([semantics, ...sources]) => ({ semantics, sources: sources.map((s) => signed(Number(s))) }))
  }
  return made
}

export const signed = (ssrc) => ssrc | 0
export const unsigned = (source) => source >>> 0

/**
 * Returns the audio and video of an answer with only those header extensions
 * that our offer has under the same number. A connection without sound has
 * other numbers.
 */
export function usable({ audio, video }, sdp) {
  const offered = new Set(values(split(sdp).flat(), 'a=extmap:'))
  const left = (media) => ({ ...media, 'rtp-hdrexts': media['rtp-hdrexts'].filter((e) => offered.has(`${e.id} ${e.uri}`)) })
  return { audio: left(audio), video: left(video) }
}

/**
 * Describes the server's side. Each of the tracks is a section {mid, kind,
 * remote?}: without a remote it is what we send, with one what we receive.
 */
export function describe({ transport, audio, video }, tracks, lite) {
  const head = [
    'v=0', `o=- ${Date.now()} 2 IN IP4 0.0.0.0`, 's=-', 't=0 0',
    `a=group:BUNDLE ${tracks.map((t) => t.mid).join(' ')}`, 'a=msid-semantic: WMS *',
    ...(lite ? ['a=ice-lite'] : []),
  ]
  const link = [
    `a=ice-ufrag:${transport.ufrag}`, `a=ice-pwd:${transport.pwd}`,
    ...transport.fingerprints.flatMap((f) => [`a=fingerprint:${f.hash} ${f.fingerprint}`, `a=setup:${f.setup}`]),
    ...transport.candidates.map((c) => `a=candidate:${c.foundation} ${c.component} ${c.protocol} ${c.priority} ${c.ip} ${c.port} `
      + `typ ${c.type} generation ${c.generation}`),
  ]
  const media = tracks.map((t) => {
    if (t.kind === 'application') {
      return ['m=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', ...link, `a=mid:${t.mid}`, 'a=sctp-port:5000']
    }
    return [...formats(t.kind, t.kind === 'audio' ? audio : video), ...link, `a=mid:${t.mid}`, 'a=rtcp-mux',
      ...(t.remote ? ['a=sendonly', ...sources(t.remote)] : ['a=recvonly'])]
  })
  return joined([head, ...media])
}

/** The formats and extensions that the answer lists. */
function formats(kind, { 'payload-types': types, 'rtp-hdrexts': extensions }) {
  return [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF ${types.map((t) => t.id).join(' ')}`, 'c=IN IP4 0.0.0.0',
    ...types.flatMap((t) => [
      `a=rtpmap:${t.id} ${t.name}/${t.clockrate}${t.channels > 1 ? `/${t.channels}` : ''}`,
      ...fmtp(t), ...(t['rtcp-fbs'] ?? []).map((f) => `a=rtcp-fb:${t.id} ${f.type}${f.subtype ? ` ${f.subtype}` : ''}`),
    ]),
    ...extensions.map((e) => `a=extmap:${e.id} ${e.uri}`),
  ]
}

function fmtp({ id, parameters }) {
  const list = Object.entries(parameters ?? {}).map(([k, v]) => `${k}=${v}`)
  return list.length ? [`a=fmtp:${id} ${list.join(';')}`] : []
}

/** The lines of a source that we receive. */
function sources({ source, groups = [], endpoint }) {
  const all = groups.length ? [...new Set(groups.flatMap((g) => g.sources))] : [source]
  return [
    ...groups.map((g) => `a=ssrc-group:${g.semantics} ${g.sources.map(unsigned).join(' ')}`),
    ...all.flatMap((s) => [`a=ssrc:${unsigned(s)} cname:${endpoint}`, `a=ssrc:${unsigned(s)} msid:${endpoint} ${endpoint}`]),
  ]
}
