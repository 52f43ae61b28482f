"""A person that uses the JSON API."""

import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request

PATIENCE = 30  # seconds that one step may take

MYSELF = {"_": "inputPeerSelf"}


class Refused(Exception):
    """What the server answered instead."""


class Person:
    """Someone who is signed in, up if need be, with a phone of dev mode."""

    def __init__(self, server, phone, name):
        number, code = phone.split(":")
        self.server, self.name, self.token = server, name, ""
        self.token = self.ask("token")["token"]
        sent = self.ask("auth.sendCode", phone_number=number, api_id=server["api_id"], api_hash=server["api_hash"],
                        settings={"_": "codeSettings"})["phone_code_hash"]
        given = self.ask("auth.signIn", phone_number=number, phone_code_hash=sent, phone_code=code)
        if given["_"] == "auth.authorizationSignUpRequired":
            given = self.ask("auth.signUp", phone_number=number, phone_code_hash=sent, first_name=name, last_name="")
        self.user = given["user"]

    def ask(self, method, **params):
        """Calls a method; what is no 200 is raised."""
        request = urllib.request.Request(
            f"{self.server['http']}/api/{method}", json.dumps(params).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return json.load(response)
        except urllib.error.HTTPError as e:
            raise Refused(f"{method}: {e.code} {e.read().decode()}") from None

    def demo(self):
        """Returns the call of @demo."""
        chat = self.ask("contacts.resolveUsername", username="demo")["chats"][0]
        full = self.ask("channels.getFullChannel", channel={
            "_": "inputChannel", "channel_id": chat["id"], "access_hash": chat["access_hash"]})
        return full["full_chat"]["call"]

    def peer(self, call, user):
        """Returns the peer of a participant."""
        listed = self.ask("phone.getGroupParticipants", call=call, ids=[], sources=[], offset="", limit=100)
        for u in listed["users"]:
            if u["id"] == user["id"]:
                return {"_": "inputPeerUser", "user_id": u["id"], "access_hash": u["access_hash"]}
        raise AssertionError(f"{user['id']} is not among {listed['users']}")

    def participants(self, call):
        return self.ask("phone.getGroupParticipants", call=call, ids=[], sources=[], offset="", limit=100)["participants"]

    def sources(self, call):
        return {p["source"] for p in self.participants(call)}

    def edit(self, call, peer, **how):
        """Changes a participant: muted, video_stopped..."""
        self.ask("phone.editGroupCallParticipant", call=call, participant=peer, **how)


def answer(updates):
    """Returns the transport that a join was answered with."""
    return next(u["params"]["data"] for u in updates["updates"] if u["_"] == "updateGroupCallConnection")


def eventually(why, patience=PATIENCE):
    """Asks until why returns nothing: why tells what is not yet as it must be."""
    deadline = time.monotonic() + patience
    while reason := why():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience} s: {reason}")
        time.sleep(0.05)


def run(main):
    """Runs a scenario with the program's arguments. It ends at once after that:
    an interpreter that closes down under an engine's threads is aborted."""
    failed = False
    try:
        main(*sys.argv[1:])
    except BaseException:  # whatever it is, it is told and ends the program
        failed = True
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(failed)
