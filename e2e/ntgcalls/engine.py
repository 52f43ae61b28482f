"""One ntgcalls engine in a call: what it sends, and all that it receives."""

import asyncio
import collections
import json
import threading

import ntgcalls
from ntgcalls import AudioDescription, ConnectionState, MediaDescription, MediaSource, StreamDevice, StreamMode

import tone
from parley import MYSELF, PATIENCE, answer, eventually

CHAT = 1  # the engine's own name for its only call
AHEAD = tone.RATE  # samples that are looked at together


class Engine:
    """A person's engine. Its callbacks come on threads of its own."""

    def __init__(self, person, call):
        self.person, self.call, self.name = person, call, person.name
        self.lock = threading.Lock()
        self.heard = collections.defaultdict(bytearray)  # samples by SSRC
        self.seen = collections.defaultdict(collections.Counter)  # frames by device, SSRC and size
        self.states = []
        self.engine = ntgcalls.NTgCalls()
        self.engine.on_connection_change(lambda _, info: self.states.append((info.kind, info.state)))
        self.engine.on_frames(self._frames)

    def _frames(self, _, mode, device, frames):
        with self.lock:
            for f in frames:
                if mode == StreamMode.PLAYBACK and device in (StreamDevice.MICROPHONE, StreamDevice.SPEAKER):
                    self.heard[f.ssrc & 0xFFFFFFFF] += f.data
                elif mode == StreamMode.PLAYBACK:
                    size = (f.frame_data.width, f.frame_data.height)
                    self.seen[device.name, f.ssrc & 0xFFFFFFFF][size] += 1

    def _do(self, name, *args):
        """Calls a method of the engine, which promises its result."""
        async def call():
            return await asyncio.wait_for(getattr(self.engine, name)(CHAT, *args), PATIENCE)
        return asyncio.run(call())

    def join(self, wav=None, camera=None):
        """Joins with what the engine offers, and waits until it is connected."""
        payload = self._do("create_call")
        self.source = json.loads(payload)["ssrc"] & 0xFFFFFFFF
        microphone = AudioDescription(MediaSource.FILE, tone.RATE, 1, str(wav), False) if wav else None
        self.say(microphone=microphone, camera=camera)
        listen = AudioDescription(MediaSource.EXTERNAL, tone.RATE, 1, "", False)
        self._do("set_stream_sources", StreamMode.PLAYBACK, MediaDescription(listen, None, None, None))
        given = self.person.ask("phone.joinGroupCall", call=self.call, join_as=MYSELF, muted=not wav,
                                video_stopped=not camera, params={"_": "dataJSON", "data": payload})
        self._do("connect", answer(given), False)
        self.connected(ntgcalls.ConnectionKind.NORMAL)

    def say(self, microphone=None, camera=None, screen=None):
        """Sets what is sent."""
        self._do("set_stream_sources", StreamMode.CAPTURE, MediaDescription(microphone, None, camera, screen))

    def connected(self, kind):
        eventually(lambda: "" if (kind, ConnectionState.CONNECTED) in self.states
                   else f"{self.name} is not connected: {self.states}")

    def do(self, name, *args):
        return self._do(name, *args)

    def leave(self):
        self.person.ask("phone.leaveGroupCall", call=self.call, source=signed(self.source))
        self._do("stop")

    def forget(self):
        """Starts listening anew."""
        with self.lock:
            self.heard.clear()

    def last(self, source, n):
        """Returns the last n samples of a source, or fewer."""
        with self.lock:
            return tone.samples(self.heard[source][-2 * n:])

    def hears(self, source, hertz, least, most):
        """Waits for a tone of about some loudness to come from a source."""
        self.forget()

        def why():
            x = self.last(source, AHEAD // 2)
            if len(x) < AHEAD // 2:
                return f"{self.name} heard {len(x)} samples of {source}, wants {hertz} Hz; all: {self.counts()}"
            loudest, level = tone.loudest(x), tone.amplitude(x, hertz)
            if abs(loudest - hertz) > 10 or not least <= level <= most:
                return f"{self.name} hears {loudest} Hz from {source}, {hertz} Hz at {level:.0f}, wants {least} to {most}"
            return ""
        eventually(why)

    def silent(self, source, seconds):
        """Waits until nothing, or silence, came from a source for a while."""
        def why():
            self.forget()
            threading.Event().wait(seconds)  # what would come, comes in this time
            loud = tone.peak(self.last(source, AHEAD))
            return f"{self.name} hears {source} at {loud}" if loud > 50 else ""
        eventually(why, 10)

    def counts(self):
        with self.lock:
            return {source: len(data) // 2 for source, data in self.heard.items()}


def signed(source):
    """An SSRC as the API has it."""
    return source - (1 << 32) if source >= 1 << 31 else source
