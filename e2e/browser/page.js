// One member of a call in a page. The test calls the functions of window.member.

import { bend, describe, payload, signed, split, unsigned, usable } from './sdp.js'

const PATIENCE = 20_000 // milliseconds a step may take

const context = new AudioContext()

// Firefox's offer stays as it is: it takes the numbers of what it is answered and
// offered. Where there is no sound card its context stands, and its streams go on.
const firefox = navigator.userAgent.includes('Firefox')

/** Waits until ask returns something. */
async function eventually(what, ask) {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const found = await ask()
    if (found) return found
    if (performance.now() > deadline) throw new Error(`not after ${PATIENCE} ms: ${what}`)
    await new Promise((done) => { setTimeout(done, 20) })
  }
}

const connection = {
  pc: null, channel: null, answer: null, received: [], messages: [],
  remotes: [], // what we receive, in the order of their sections
  style: 'offers', // or 'answers', once it is joined
}

/**
 * Makes the join payload. A client of style "offers" makes every offer itself
 * and is the DTLS server; one of style "answers" makes the first, then answers
 * the other side's, and is the DTLS client, unless setup says otherwise. What
 * it offered under other numbers than the network's it uses from the second
 * offer on, or with numbers "own" never.
 */
async function prepare({ style, setup, numbers, hertz, camera, screen, layers = 3, bitrates }) {
  const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require', iceServers: [] })
  Object.assign(connection, { pc, style, layers, numbers: style === 'offers' ? 'own' : numbers })
  if (!screen) pc.addTransceiver(await sound(hertz), { direction: 'sendonly' })
  if (camera) pc.addTransceiver(await view(camera), { direction: 'sendonly' })
  if (screen) pc.addTransceiver(display(screen), { direction: 'sendonly' })
  connection.channel = pc.createDataChannel('data')
  connection.channel.onmessage = (e) => connection.messages.push(JSON.parse(e.data))
  const offer = await pc.createOffer()
  await pc.setLocalDescription(firefox ? offer : { type: 'offer', sdp: bend(offer.sdp, layers) })
  if (bitrates) await limit(bitrates)
  return payload(pc.localDescription.sdp, setup ?? (style === 'offers' ? 'passive' : 'active'))
}

/** Limits the layers, the lowest first. */
async function limit(bitrates) {
  const sender = connection.pc.getSenders().find((s) => s.track?.kind === 'video')
  const parameters = sender.getParameters()
  if (parameters.encodings.length !== bitrates.length) {
    throw new Error(`${parameters.encodings.length} layers, want ${bitrates.length}`)
  }
  parameters.encodings.forEach((e, i) => {
    Object.assign(e, { maxBitrate: bitrates[i], scaleResolutionDownBy: 2 ** (bitrates.length - 1 - i) })
  })
  await sender.setParameters(parameters)
}

/** A tone, or the microphone. */
async function sound(hertz) {
  if (!hertz) return (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks()[0]
  const tone = new OscillatorNode(context, { frequency: hertz })
  const quieter = new GainNode(context, { gain: 0.3 })
  const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 })
  tone.connect(quieter).connect(out)
  tone.start()
  return out.stream.getAudioTracks()[0]
}

/** The camera. */
async function view({ width, height, fps }) {
  const exactly = { width: { exact: width }, height: { exact: height }, frameRate: fps }
  return (await navigator.mediaDevices.getUserMedia({ video: exactly })).getVideoTracks()[0]
}

/** A screen: blue, with something that moves. */
function display({ width, height, fps }) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height })
  const draw = canvas.getContext('2d')
  let n = 0
  setInterval(() => {
    draw.fillStyle = 'rgb(100 100 250)'
    draw.fillRect(0, 0, width, height)
    draw.fillStyle = 'white'
    draw.fillRect(n++ * 8 % width, 0, 40, 40)
  }, 1000 / fps)
  return canvas.captureStream(fps).getVideoTracks()[0]
}

/** Takes the server's answer and waits for the connection and its data channel. */
async function connect(answer) {
  const own = { ...answer, ...usable(answer, connection.pc.localDescription.sdp) }
  connection.answer = connection.numbers === 'own' ? own : answer
  await connection.pc.setRemoteDescription({ type: 'answer', sdp: describe(own, sections(), connection.style === 'answers') })
  await eventually('connected', () => connection.pc.connectionState === 'connected')
  await eventually('data channel open', () => connection.channel.readyState === 'open')
}

/** Waits until the other side has ended the connection. */
const ended = () => eventually('ended', () => connection.channel.readyState === 'closed')

/** The sections so far, and those of what we want to receive in addition. */
function sections() {
  const [, ...media] = split(connection.pc.localDescription.sdp)
  const own = media.map((s) => ({ mid: s.find((l) => l.startsWith('a=mid:')).slice(6), kind: s[0].match(/^m=(\w+)/)[1] }))
  return own.map((s, i) => ({ ...s, remote: connection.remotes[i] }))
}

/** Receives others: {kind, source?, groups?, endpoint}. */
async function receive(others) {
  const { pc, answer, remotes } = connection
  const start = split(pc.localDescription.sdp).length - 1
  if (connection.style === 'offers') {
    others.forEach((other, i) => {
      pc.addTransceiver(other.kind, { direction: 'recvonly' })
      remotes[start + i] = other
    })
    const offer = await pc.createOffer()
    await pc.setLocalDescription({ type: 'offer', sdp: bend(offer.sdp, connection.layers) })
    await pc.setRemoteDescription({ type: 'answer', sdp: describe(answer, sections()) })
  } else {
    const known = sections()
    others.forEach((other, i) => { remotes[start + i] = other })
    const added = others.map((other, i) => ({ mid: String(start + i), kind: other.kind, remote: other }))
    await pc.setRemoteDescription({ type: 'offer', sdp: describe(answer, [...known, ...added], true) })
    await pc.setLocalDescription()
  }
  others.forEach((other, i) => show(other, pc.getTransceivers().find((t) => t.mid === mids()[start + i])))
}

const mids = () => sections().map((s) => s.mid)

/** Plays what we receive. */
function show(other, { receiver }) {
  const stream = new MediaStream([receiver.track])
  const element = document.createElement(other.kind)
  element.autoplay = true
  element.srcObject = stream
  document.body.append(element)
  const shown = { ssrc: unsigned(other.groups?.[0]?.sources[0] ?? other.source), receiver, element }
  if (other.kind === 'audio') {
    shown.analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 })
    new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(shown.analyser)
  } else {
    shown.ssrc = unsigned(primary(other.groups))
  }
  connection.received.push(shown)
}

/** The SSRC that a video arrives with: its lowest layer's. */
const primary = (groups) => (groups.find((g) => g.semantics === 'SIM') ?? groups[0]).sources[0]

const find = (source) => {
  const found = connection.received.find((r) => r.ssrc === unsigned(source))
  if (!found) throw new Error(`we do not receive ${source}`)
  return found
}

/** Returns the loudest frequency of a source, and how loud it is in dBFS. */
function hear(source) {
  const { analyser, element } = find(source)
  if (firefox) return record(element.srcObject)
  const spectrum = new Float32Array(analyser.frequencyBinCount)
  analyser.getFloatFrequencyData(spectrum)
  const bin = spectrum.reduce((best, v, i) => (v > spectrum[best] ? i : best), 1)
  return { hertz: Math.round(bin * context.sampleRate / analyser.fftSize), level: Math.max(-200, spectrum[bin]) }
}

/** Hears without a sound card: records a moment, and looks at it then. */
async function record(stream) {
  const recorder = new MediaRecorder(stream)
  const data = new Promise((done) => { recorder.ondataavailable = done })
  recorder.start()
  setTimeout(() => recorder.stop(), 300)
  const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(await (await data).data.arrayBuffer())
  const samples = sound.getChannelData(0).slice(-8192)
  let best = { hertz: 0, level: -200 }
  for (let hertz = 100; hertz < 2000; hertz += 5) {
    let [re, im] = [0, 0]
    samples.forEach((v, i) => {
      const window = v * (1 - Math.cos(2 * Math.PI * i / samples.length)) / samples.length
      re += window * Math.cos(2 * Math.PI * hertz * i / sound.sampleRate)
      im += window * Math.sin(2 * Math.PI * hertz * i / sound.sampleRate)
    })
    const level = Math.max(-200, 20 * Math.log10(Math.hypot(re, im)))
    if (level > best.level) best = { hertz, level }
  }
  return best
}

/** Returns the browser's own numbers of a source that we receive. */
async function stats(source) {
  const { receiver } = find(source)
  const found = [...(await receiver.getStats()).values()].find((s) => s.type === 'inbound-rtp' && s.ssrc === unsigned(source))
  return found ?? {}
}

/** Returns the browser's numbers of what we send, by SSRC. */
async function sent() {
  const all = [...(await connection.pc.getStats()).values()]
  return all.filter((s) => s.type === 'outbound-rtp')
}

/** Returns the numbers of the transport. */
async function transport() {
  const all = [...(await connection.pc.getStats()).values()]
  return { ...all.find((s) => s.type === 'transport'), pair: all.find((s) => s.type === 'candidate-pair' && s.nominated) }
}

/** Says what we want to see: heights by endpoint. */
function want(heights, onStage = []) {
  connection.channel.send(JSON.stringify({
    colibriClass: 'ReceiverVideoConstraints',
    constraints: Object.fromEntries(Object.entries(heights).map(([e, h]) => [e, { minHeight: Math.min(h, 180), maxHeight: h }])),
    defaultConstraints: { maxHeight: 0 },
    onStageEndpoints: onStage,
  }))
}

/**
 * Asks for one height after another; each is watched for some frames once it
 * arrives. Returns how long each took to arrive, and the longest time without
 * a new picture, in milliseconds.
 */
async function change(source, endpoint, heights, watched = 6) {
  const took = []
  let [frames, last, gap] = [0, performance.now(), 0]
  const look = async () => {
    const { framesDecoded, frameHeight } = await stats(source)
    const now = performance.now()
    gap = Math.max(gap, now - last)
    if (framesDecoded > frames) [frames, last] = [framesDecoded, now]
    return { frameHeight, now }
  }
  for (const height of heights) {
    const asked = performance.now()
    want({ [endpoint]: height })
    await eventually(`height ${height}`, async () => {
      const { frameHeight, now } = await look()
      if (frameHeight === height) took.push(now - asked)
      return frameHeight === height
    })
    const from = frames
    await eventually(`frames of height ${height}`, async () => await look() && frames >= from + watched)
  }
  return { took, gap }
}

/** Looks at a video now and then; seen tells what it saw. */
function watch(source) {
  const shown = find(source)
  const seen = { frames: 0, gap: 0, heights: {} }
  let [frames, last] = [-1, performance.now()]
  const look = async () => {
    const { framesDecoded = 0, frameHeight = 0 } = await stats(source)
    const now = performance.now()
    seen.gap = Math.max(seen.gap, now - last)
    if (framesDecoded > frames) {
      if (frames >= 0) seen.frames += framesDecoded - frames
      ;[frames, last] = [framesDecoded, now]
      seen.heights[frameHeight] = (seen.heights[frameHeight] ?? 0) + 1
    }
  }
  clearInterval(shown.watching)
  shown.watching = setInterval(look, 50)
  shown.seen = seen
}

/**
 * Returns how many frames of a video came since it is watched, the longest
 * time without one in milliseconds, and how often it was seen in which height.
 */
const seen = (source) => find(source).seen

/** Returns the colour of a video at a place, 0 to 1 across and down: red, green, blue. */
function colour(source, across, down) {
  const { element } = find(source)
  const canvas = new OffscreenCanvas(element.videoWidth, element.videoHeight)
  const draw = canvas.getContext('2d')
  draw.drawImage(element, 0, 0)
  return [...draw.getImageData(across * canvas.width, down * canvas.height, 1, 1).data.slice(0, 3)]
}

window.member = {
  prepare, connect, ended, receive, hear, stats, sent, transport, want, change, watch, seen, colour,
  messages: () => connection.messages,
  close: () => connection.pc.close(),
}
