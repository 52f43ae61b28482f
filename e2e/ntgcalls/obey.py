"""An engine in @demo's call that plays 660 Hz, sends its camera, and does what
its standard input says.

usage: obey.py client.json DIRECTORY NUMBER:CODE

Prints its source. Then it waits for what each line of the input names, and
answers "done":

    hears SOURCE HERTZ
    sees SOURCE video|presentation WIDTH HEIGHT BRIGHTNESS
    blind SOURCE video|presentation

It leaves at the end of its input.
"""

import json
import pathlib
import sys
import threading

from ntgcalls import StreamDevice

import tone
from engine import Engine, signed
from parley import Person, eventually, run

HERTZ, LOUD = 660, (500, 30000)
SIZE, BRIGHTNESS = (1280, 720), 180


def entry(engine, source, kind):
    """Returns the participant that has a source, once it has a camera or screen."""
    found = []

    def why():
        listed = engine.person.participants(engine.call)
        found[:] = [p for p in listed if p["source"] == signed(source) and kind in p]
        return "" if found else f"no {kind} of {source}: {listed}"
    eventually(why)
    return found[0]


def obey(engine, watched, what, source, *more):
    """Does what a line says."""
    source = int(source)
    if what == "hears":
        engine.hears(source, int(more[0]), *LOUD)
        return
    kind, *picture = more
    if what == "blind":
        engine.blind(watched.pop((source, kind)), 1.5)
        return
    if (source, kind) not in watched:
        theirs = entry(engine, source, kind)
        watched[source, kind] = engine.watch({"id": theirs["peer"]["user_id"]}, theirs[kind])
    width, height, bright = (int(n) for n in picture)
    engine.sees(watched[source, kind], (width, height), bright)


def main(file, directory, phone):
    person = Person(json.loads(pathlib.Path(file).read_text()), phone, "Engine")
    engine = Engine(person, person.demo())
    wav = pathlib.Path(directory) / "tone.wav"
    tone.write(wav, HERTZ)
    engine.join(wav, camera=SIZE)
    stop = threading.Event()
    film = engine.film(StreamDevice.CAMERA, SIZE, BRIGHTNESS, stop)
    print(engine.source, flush=True)
    watched = {}
    for line in sys.stdin:
        obey(engine, watched, *line.split())
        print("done", flush=True)
    stop.set()
    film.join(5)
    engine.leave(stop=False)  # the program ends: an engine that stops amid video breaks its heap now and then


if __name__ == "__main__":
    run(main)
