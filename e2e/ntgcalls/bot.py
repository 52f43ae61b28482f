"""A bot of py-tgcalls: plays a file into the demo call and does what stdin says.

usage: bot.py CLIENT.JSON PHONE:CODE SOUND.PCM
"""

import asyncio
import json
import sys

from ntgcalls import MediaSource
from pytgcalls import PyTgCalls
from pytgcalls.types.raw import AudioParameters, AudioStream, Stream
from telethon import TelegramClient
from telethon.crypto import rsa
from telethon.sessions import StringSession
from telethon.utils import get_peer_id


async def main(file, who, sound):
    with open(file, encoding="utf-8") as f:
        server = json.load(f)
    rsa.add_key(server["public_key"], old=False)
    host, port = server["tcp"].rsplit(":", 1)
    session = StringSession()
    session.set_dc(server["dc_id"], host, int(port))
    client = TelegramClient(session, server["api_id"], server["api_hash"])
    phone, code = who.split(":")
    await client.connect()
    await client.send_code_request(phone)
    await client.sign_in(phone, code=code)
    calls = PyTgCalls(client)
    await calls.start()
    chat = get_peer_id(await client.get_entity("demo"))
    await calls.play(chat, Stream(microphone=AudioStream(MediaSource.FILE, sound, AudioParameters(48000, 2))))
    do = {
        "mute": lambda: calls.mute(chat),
        "unmute": lambda: calls.unmute(chat),
        "quiet": lambda: calls.change_volume_call(chat, 50),
        "leave": lambda: calls.leave_call(chat),
    }
    while True:
        print("done", flush=True)
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line:
            return
        await do[line.strip()]()


asyncio.run(main(*sys.argv[1:]))
