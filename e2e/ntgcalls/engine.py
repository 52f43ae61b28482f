"""One ntgcalls engine in a call: what it sends, and all that it receives."""

import asyncio
import collections
import json
import threading
import time

import ntgcalls
from ntgcalls import (
    AudioDescription, ConnectionKind, ConnectionState, FrameData, MediaDescription, MediaSource, StreamDevice, StreamMode,
    VideoDescription, VideoRotation,
)

import tone
from parley import MYSELF, PATIENCE, answer, eventually

CHAT = 1  # the engine's own name for its only call
AHEAD = tone.RATE  # samples that are looked at together
FPS = 15


class Engine:
    """A person's engine. Its callbacks come on threads of its own."""

    def __init__(self, person, call):
        self.person, self.call, self.name = person, call, person.name
        self.lock = threading.Lock()
        self.heard = collections.defaultdict(bytearray)  # samples by SSRC
        self.seen = collections.defaultdict(list)  # size and brightness of frames by SSRC
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
                    width, height = f.frame_data.width, f.frame_data.height
                    bright = f.data[width * height // 2] if len(f.data) == width * height * 3 // 2 else None
                    self.seen[f.ssrc & 0xFFFFFFFF].append((width, height, bright))

    def do(self, name, *args):
        """Calls a method of the engine, which promises its result."""
        async def call():
            return await asyncio.wait_for(getattr(self.engine, name)(CHAT, *args), PATIENCE)
        return asyncio.run(call())

    def join(self, wav=None, camera=None):
        """Joins with what the engine offers, and waits until it is connected."""
        payload = self.do("create_call")
        self.source = json.loads(payload)["ssrc"] & 0xFFFFFFFF
        self.say(wav, camera)
        listen = AudioDescription(MediaSource.EXTERNAL, tone.RATE, 1, "", False)
        watch = VideoDescription(MediaSource.EXTERNAL, 0, 0, 0, "", False)
        self.do("set_stream_sources", StreamMode.PLAYBACK, MediaDescription(listen, None, watch, watch))
        given = self.person.ask("phone.joinGroupCall", call=self.call, join_as=MYSELF, muted=not wav,
                                video_stopped=not camera, params={"_": "dataJSON", "data": payload})
        self.do("connect", answer(given), False)
        self.connected(ConnectionKind.NORMAL)

    def present(self, camera, screen):
        """Joins with the screen, too."""
        payload = self.do("init_presentation")
        self.say(camera=camera, screen=screen)
        given = self.person.ask("phone.joinGroupCallPresentation", call=self.call,
                                params={"_": "dataJSON", "data": payload})
        self.do("connect", answer(given), True)
        self.connected(ConnectionKind.PRESENTATION)

    def say(self, wav=None, camera=None, screen=None):
        """Sets what is sent: pictures have a width and a height."""
        microphone = AudioDescription(MediaSource.FILE, tone.RATE, 1, str(wav), False) if wav else None
        videos = (VideoDescription(MediaSource.EXTERNAL, *size, FPS, "", False) if size else None
                  for size in (camera, screen))
        self.do("set_stream_sources", StreamMode.CAPTURE, MediaDescription(microphone, None, *videos))

    def film(self, device, size, bright, stop):
        """Sends pictures of some brightness until stop is set."""
        width, height = size

        async def run():
            n = 0
            while not stop.is_set():
                n += 1
                grey = bytes([bright + n % 2]) * (width * height) + bytes([128]) * (width * height // 2)
                data = FrameData(time.monotonic_ns() // 1_000_000, VideoRotation.VIDEO_ROTATION_0, width, height)
                await self.engine.send_external_frame(CHAT, device, grey, data)
                await asyncio.sleep(1 / FPS)
        thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        thread.start()
        return thread

    def watch(self, user, video):
        """Receives somebody's camera or screen, as the list of participants has it; returns its SSRC."""
        groups = [ntgcalls.SsrcGroup(g["semantics"], [s & 0xFFFFFFFF for s in g["sources"]]) for g in video["source_groups"]]
        return self.do("add_incoming_video", int(user["id"]), video["endpoint"], groups) & 0xFFFFFFFF

    def sees(self, source, size, bright, frames=10):
        """Waits until pictures of a size and about a brightness come, one after another."""
        def why():
            with self.lock:
                last = self.seen[source][-frames:]
            good = [f for f in last if f[:2] == size and f[2] is not None and abs(f[2] - bright) < 12]
            return "" if len(good) == frames else f"{self.name} sees {last} of {source}, wants {size} of {bright}"
        with self.lock:
            self.seen[source].clear()
        eventually(why)

    def blind(self, source, seconds):
        """Waits until no picture comes for a while."""
        def why():
            with self.lock:
                self.seen[source].clear()
            threading.Event().wait(seconds)  # what would come, comes in this time
            with self.lock:
                return f"{self.name} sees {len(self.seen[source])} pictures of {source}" if self.seen[source] else ""
        eventually(why, 10)

    def connected(self, kind):
        eventually(lambda: "" if (kind, ConnectionState.CONNECTED) in self.states
                   else f"{self.name} is not connected: {self.states}")

    def leave(self, stop=True):
        self.person.ask("phone.leaveGroupCall", call=self.call, source=signed(self.source))
        if stop:
            self.do("stop")

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
