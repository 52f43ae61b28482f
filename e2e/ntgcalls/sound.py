"""Two engines hear each other, the demo world's tone and who speaks by other
means, and do not hear who was silenced.

usage: sound.py client.json DIRECTORY NUMBER:CODE NUMBER:CODE [SOURCE=HERTZ...]

The first phone is that of @demo's owner, whose call has been started. Sources
are others in the call and what they play. Prints the engines' own.
"""

import json
import pathlib

import tone
from engine import Engine, signed
from parley import MYSELF, Person, Refused, eventually, run

DEMO_TONE = 440  # what the demo world plays
LOUD = (4000, 12000)  # a WAV of amplitude 8000 arrives like this
ANY = (500, 30000)


def demo_source(engine, known):
    """Returns the source of the demo world's own participant."""
    found = set()

    def why():
        found.update(s & 0xFFFFFFFF for s in engine.person.sources(engine.call))
        return "" if found - known else "only we are in the call"
    eventually(why)
    return min(found - known)


def silenced(owner, a):
    """The owner silences a, who cannot help it, and allows it to speak again."""
    theirs = owner.person.peer(owner.call, a.person.user)
    owner.person.edit(owner.call, theirs, muted=True)
    owner.silent(a.source, 1.5)
    refused = None
    try:
        a.person.edit(a.call, MYSELF, muted=False)
    except Refused as e:
        refused = e
    if not refused:
        raise AssertionError("who was silenced unmuted itself")
    owner.silent(a.source, 1.0)
    owner.person.edit(owner.call, theirs, muted=False)
    a.person.edit(a.call, MYSELF, muted=False)
    owner.hears(a.source, 440, *LOUD)


def main(file, directory, *args):
    server = json.loads(pathlib.Path(file).read_text())
    phones = [x for x in args if ":" in x]
    others = [x.split("=") for x in args if "=" in x]
    people = [Person(server, phone, name) for phone, name in zip(phones, ("Owner", "Member"))]
    owner, member = (Engine(p, p.demo()) for p in people)
    for engine, hertz in (owner, 660), (member, 440):
        wav = pathlib.Path(directory) / f"{hertz}.wav"
        tone.write(wav, hertz)
        engine.join(wav)

    owner.hears(member.source, 440, *LOUD)
    member.hears(owner.source, 660, *LOUD)
    known = {owner.source, member.source} | {int(source) for source, _ in others}
    owner.hears(demo_source(owner, known), DEMO_TONE, *ANY)
    for source, hertz in others:
        owner.hears(int(source), int(hertz), *ANY)
        member.hears(int(source), int(hertz), *ANY)
    silenced(owner, member)
    member.hears(owner.source, 660, *LOUD)

    print("sources", owner.source, member.source, flush=True)
    member.leave()
    gone = signed(member.source)
    eventually(lambda: "who left is still listed" if gone in owner.person.sources(owner.call) else "")
    owner.leave()


if __name__ == "__main__":
    run(main)
