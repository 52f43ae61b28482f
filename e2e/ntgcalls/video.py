"""One engine sends its camera and then its screen, too; another sees both, and
does not see what was stopped.

usage: video.py client.json DIRECTORY NUMBER:CODE NUMBER:CODE

The first phone is that of @demo's owner, whose call has been started.
"""

import json
import pathlib
import threading

from ntgcalls import StreamDevice

from engine import Engine
from parley import MYSELF, Person, eventually, run

SIZE = (1280, 720)
CAMERA, SCREEN = 180, 70  # how bright


def entry(watcher, user, kind):
    """Returns what the list of participants has of somebody's camera or screen."""
    found = []

    def why():
        listed = watcher.person.participants(watcher.call)
        found[:] = [p[kind] for p in listed if p["peer"].get("user_id") == user["id"] and kind in p]
        return "" if found else f"no {kind} of {user['id']}: {listed}"
    eventually(why)
    return found[0]


def gone(watcher, user, kind):
    """Waits until the list of participants has no camera or screen of somebody."""
    def why():
        for p in watcher.person.participants(watcher.call):
            if p["peer"].get("user_id") == user["id"] and kind in p:
                return f"still a {kind}: {p}"
        return ""
    eventually(why)


def main(file, _, *phones):
    server = json.loads(pathlib.Path(file).read_text())
    people = [Person(server, phone, name) for phone, name in zip(phones, ("Owner", "Member"))]
    owner, member = (Engine(p, p.demo()) for p in people)
    stop = threading.Event()
    owner.join(camera=SIZE)
    films = [owner.film(StreamDevice.CAMERA, SIZE, CAMERA, stop)]
    member.join()
    camera = member.watch(owner.person.user, entry(member, owner.person.user, "video"))
    member.sees(camera, SIZE, CAMERA)

    owner.present(camera=SIZE, screen=SIZE)
    films.append(owner.film(StreamDevice.SCREEN, SIZE, SCREEN, stop))
    screen = member.watch(owner.person.user, entry(member, owner.person.user, "presentation"))
    member.sees(screen, SIZE, SCREEN)
    member.sees(camera, SIZE, CAMERA)

    owner.person.edit(owner.call, MYSELF, video_stopped=True)
    gone(member, owner.person.user, "video")
    member.blind(camera, 1.5)
    member.sees(screen, SIZE, SCREEN)
    owner.person.edit(owner.call, MYSELF, video_stopped=False)
    entry(member, owner.person.user, "video")
    member.sees(camera, SIZE, CAMERA)

    owner.person.ask("phone.leaveGroupCallPresentation", call=owner.call)
    gone(member, owner.person.user, "presentation")
    member.blind(screen, 1.5)
    member.sees(camera, SIZE, CAMERA)

    stop.set()
    for film in films:
        film.join(5)
    owner.leave()
    member.leave()


if __name__ == "__main__":
    run(main)
