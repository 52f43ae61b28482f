"""The seed scenario for TDLib, as far as its API has the steps.

usage: seed.py client.json DIRECTORY NUMBER:CODE NUMBER:CODE
"""

import json
import pathlib
import re
import sys
import time
import urllib.request

from client import PATIENCE, Client, Library, Refused, patch

LIBRARY = pathlib.Path(__file__).parent.parent / "node_modules/@prebuilt-tdlib/linux-x64-glibc/libtdjson.so"


def check(ok, what, *seen):
    if not ok:
        raise AssertionError(what + ": " + json.dumps(seen, indent=1)[:8000])


def payload():
    """A join payload as an audio client sends it; no media comes of it."""
    return json.dumps({
        "ssrc": 1234567, "ufrag": "abcd", "pwd": "0123456789abcdef01234567",
        "fingerprints": [{"hash": "sha-256", "setup": "passive", "fingerprint": ":".join(["AB"] * 32)}],
    })


def subscribed(server, phone, code):
    """Whether the server holds a person's subscription to the only call they
    may see: TDLib shows it before it has asked."""
    base = server["http"] + "/api/"
    with urllib.request.urlopen(urllib.request.Request(base + "token", method="POST"), timeout=10) as answer:
        token = json.loads(answer.read())["token"]

    def call(method, **params):
        request = urllib.request.Request(base + method, json.dumps(params).encode(), {"Authorization": "Bearer " + token})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    sent = call("auth.sendCode", phone_number=phone, api_id=1, api_hash="x", settings={})
    call("auth.signIn", phone_number=phone, phone_code_hash=sent["phone_code_hash"], phone_code=code)
    dialogs = call("messages.getDialogs", offset_date=0, offset_id=0, offset_peer={"_": "inputPeerEmpty"}, limit=10, hash=0)
    channel = next(c for c in dialogs["chats"] if c["_"] == "channel")
    full = call("channels.getFullChannel", channel={
        "_": "inputChannel", "channel_id": channel["id"], "access_hash": channel["access_hash"],
    })
    for _ in range(PATIENCE * 4):
        held = call("phone.getGroupCall", call=full["full_chat"]["call"], limit=1)["call"]
        if held.get("schedule_start_subscribed"):
            return True
        time.sleep(0.25)
    return False


def schedule(owner, member, chat):
    """Announces a call in an hour, which the member subscribes to."""
    at = int(time.time()) + 3600
    call = owner.ask("createVideoChat", chat_id=chat, title="Weekly", start_date=at, is_rtmp_stream=False)["id"]
    member.told("the announcement", "updateNewMessage", lambda u: u["message"]["chat_id"] == chat
                and u["message"]["content"]["@type"] == "messageVideoChatScheduled"
                and u["message"]["content"]["start_date"] == at)
    theirs = member.told("the call", "updateChatVideoChat", lambda u: u["chat_id"] == chat
                         and u["video_chat"]["group_call_id"])["video_chat"]["group_call_id"]
    got = member.ask("getGroupCall", group_call_id=theirs)
    check(got["scheduled_start_date"] == at and got["title"] == "Weekly" and not got["enabled_start_notification"],
          "the scheduled call", got)
    member.ask("toggleVideoChatEnabledStartNotification", group_call_id=theirs, enabled_start_notification=True)
    member.told("the subscription", "updateGroupCall", lambda u: u["group_call"]["enabled_start_notification"])
    return call, theirs


def start(owner, member, chat, call, theirs):
    """Starts it early; both hold the started call."""
    try:
        member.ask("startScheduledVideoChat", group_call_id=theirs)
        raise AssertionError("a plain member started the call")
    except Refused as refused:
        check(refused.code in (400, 403), "a plain member starts", str(refused))
    owner.ask("startScheduledVideoChat", group_call_id=call)
    for client, id in (owner, call), (member, theirs):
        client.told("the start", "updateGroupCall", lambda u: u["group_call"]["id"] == id
                    and u["group_call"]["scheduled_start_date"] == 0 and u["group_call"]["is_active"])
        client.told("the start", "updateNewMessage", lambda u: u["message"]["chat_id"] == chat
                    and u["message"]["content"]["@type"] == "messageVideoChatStarted")
        check(client.ask("getGroupCall", group_call_id=id)["scheduled_start_date"] == 0, "the started call")
    notice = member.told("a notice", "updateNewMessage", lambda u: u["message"]["chat_id"] == 777000)
    check(notice["message"]["content"]["@type"] == "messageText", "the notice", notice)
    owner.ask("startScheduledVideoChat", group_call_id=call)  # answered by TDLib itself: nothing to do


def take_part(owner, member, call, theirs):
    """The owner joins and leaves; TDLib checks every answer on the way."""
    answer = owner.ask("joinVideoChat", group_call_id=call, participant_id=None, invite_hash="", join_parameters={
        "@type": "groupCallJoinParameters", "audio_source_id": 1234567, "payload": payload(),
        "is_muted": True, "is_my_video_enabled": False,
    })
    check("transport" in json.loads(answer["text"]), "the join answer", answer)
    owner.told("itself", "updateGroupCallParticipant", lambda u: u["participant"]["is_current_user"])
    member.told("one participant", "updateGroupCall", lambda u: u["group_call"]["id"] == theirs
                and u["group_call"]["participant_count"] == 1)
    owner.ask("leaveGroupCall", group_call_id=call)
    owner.told("not joined", "updateGroupCall", lambda u: u["group_call"]["id"] == call and not u["group_call"]["is_joined"])


def end(owner, member, chat, call, theirs):
    owner.ask("endGroupCall", group_call_id=call)
    member.told("the end", "updateGroupCall", lambda u: u["group_call"]["id"] == theirs and not u["group_call"]["is_active"])
    member.told("the duration", "updateNewMessage", lambda u: u["message"]["chat_id"] == chat
                and u["message"]["content"]["@type"] == "messageVideoChatEnded")
    member.told("no call", "updateChatVideoChat", lambda u: u["chat_id"] == chat and not u["video_chat"]["group_call_id"])


def main(file, directory, *people):
    server = json.loads(pathlib.Path(file).read_text())
    directory = pathlib.Path(directory)
    log = directory / "td.log"
    patch(LIBRARY, server["public_key"], directory / "libtdjson.so")
    library = Library(directory / "libtdjson.so", log)
    phones = [p.split(":") for p in people]
    owner = Client(library, server, directory / "owner", server["mtproxy_secret"])
    member = Client(library, server, directory / "member", "dd" + server["mtproxy_secret"])  # padded framing
    owner.sign_in(*phones[0], "Owner")
    member.sign_in(*phones[1], "Member")

    chat = owner.ask("createNewSupergroupChat", title="TDLib", is_forum=False, is_channel=False, description="",
                     location=None, message_auto_delete_time=0, for_import=False)["id"]
    user = owner.ask("searchUserByPhoneNumber", phone_number=phones[1][0], only_local=False)["id"]
    check(user == member.me, "the member by its phone", user, member.me)
    failed = owner.ask("addChatMember", chat_id=chat, user_id=user, forward_limit=0)
    check(not failed["failed_to_add_members"], "adding the member", failed)
    member.told("the chat", "updateNewChat", lambda u: u["chat"]["id"] == chat)

    call, theirs = schedule(owner, member, chat)
    check(subscribed(server, *phones[1]), "the server holds no subscription")
    start(owner, member, chat, call, theirs)
    take_part(owner, member, call, theirs)
    end(owner, member, chat, call, theirs)
    for client in owner, member:
        client.close()

    errors = [line for line in log.read_text(errors="replace").splitlines() if line.startswith(("[ 0]", "[ 1]"))]
    # [ 1][t 4][1795419455.08][File.cpp:1280][#1][!Actor]	what: times and threads differ
    kinds = sorted({re.sub(r"^(\[ \d\])\[t [ \d]+\]\[[\d.]+\](\[[^]]+\])\[#\d+\]", r"\1\2", line) for line in errors})
    check(not errors, "errors in TDLib's log", *kinds)
    print("TDLib: the seed scenario passed")


if __name__ == "__main__":
    main(*sys.argv[1:])
