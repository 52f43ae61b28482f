"""TDLib clients of one server, driven through the library's JSON interface.

TDLib has no setting for keys or addresses. The server's RSA key replaces the
built-in ones inside a copy of the library, and the server's own port serves
as the MTProxy that all traffic goes through.
"""

import ctypes
import json
import pathlib
import re
import time

PATIENCE = 60  # seconds that one step may take

PEM = re.compile(rb"-----BEGIN RSA PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END RSA PUBLIC KEY-----")


def patch(library, key, to):
    """Writes a copy of the library that trusts key, a PEM of the same length."""
    data = bytearray(pathlib.Path(library).read_bytes())
    key = key.strip().encode()
    places = [m.start() for m in PEM.finditer(bytes(data)) if len(m.group()) == len(key)]
    if not places:
        raise RuntimeError("no key in the library is as long as the server's")
    for at in places:
        data[at : at + len(key)] = key
    pathlib.Path(to).write_bytes(data)


class Refused(Exception):
    """An error object: what TDLib or the server answered."""

    def __init__(self, request, code, message):
        super().__init__(f"{request}: {code} {message}")
        self.code, self.message = code, message


class Library:
    """The loaded library: it receives for all clients."""

    def __init__(self, path, log):
        self.lib = ctypes.CDLL(str(path))
        self.lib.td_create_client_id.restype = ctypes.c_int
        self.lib.td_send.argtypes = [ctypes.c_int, ctypes.c_char_p]
        self.lib.td_receive.restype = ctypes.c_char_p
        self.lib.td_receive.argtypes = [ctypes.c_double]
        self.lib.td_execute.restype = ctypes.c_char_p
        self.lib.td_execute.argtypes = [ctypes.c_char_p]
        self.clients = {}
        self.execute({
            "@type": "setLogStream",
            "log_stream": {"@type": "logStreamFile", "path": str(log), "max_file_size": 1 << 24, "redirect_stderr": False},
        })
        self.execute({"@type": "setLogVerbosityLevel", "new_verbosity_level": 1})

    def execute(self, request):
        answer = json.loads(self.lib.td_execute(json.dumps(request).encode()))
        if answer["@type"] != "ok":
            raise RuntimeError(f"{request['@type']}: {answer}")

    def receive(self):
        """Takes one object and gives it to its client."""
        text = self.lib.td_receive(0.1)
        if text:
            obj = json.loads(text)
            self.clients[obj["@client_id"]].take(obj)


class Client:
    """One client and all that it was told."""

    def __init__(self, library, server, directory, secret):
        self.library, self.server, self.directory, self.secret = library, server, str(directory), secret
        self.id = library.lib.td_create_client_id()
        library.clients[self.id] = self
        self.updates, self.answers, self.last = [], {}, 0
        self.send({"@type": "getOption", "name": "version"})  # wakes it up

    def take(self, obj):
        if "@extra" in obj:
            self.answers[obj["@extra"]] = obj
        else:
            self.updates.append(obj)

    def send(self, request):
        self.last += 1
        self.library.lib.td_send(self.id, json.dumps(request | {"@extra": self.last}).encode())
        return self.last

    def ask(self, kind, **fields):
        """Calls a method and waits for its answer."""
        extra = self.send({"@type": kind} | fields)
        answer = self.wait(f"an answer to {kind}", lambda: self.answers.pop(extra, None))
        if answer["@type"] == "error":
            raise Refused(kind, answer["code"], answer["message"])
        return answer

    def wait(self, what, look):
        """Receives until look returns something."""
        deadline = time.monotonic() + PATIENCE
        while (found := look()) is None:
            if time.monotonic() > deadline:
                kinds = [u["@type"] for u in self.updates]
                raise TimeoutError(f"no {what} after {PATIENCE} s; updates: {kinds[-60:]}")
            self.library.receive()
        return found

    def told(self, what, kind, test=lambda update: True):
        """Waits for an update, among those that came before as well."""
        def look():
            return next((u for u in self.updates if u["@type"] == kind and test(u)), None)
        return self.wait(f"{kind} with {what}", look)

    def state(self, *names):
        """Waits until the authorization state is one of names."""
        def look():
            states = [u["authorization_state"]["@type"] for u in self.updates if u["@type"] == "updateAuthorizationState"]
            return states[-1] if states and states[-1] in names else None
        return self.wait(" or ".join(names), look)

    def sign_in(self, phone, code, name):
        self.state("authorizationStateWaitTdlibParameters")
        self.send({
            "@type": "setTdlibParameters", "use_test_dc": False, "database_directory": self.directory,
            "files_directory": self.directory, "use_file_database": False, "use_chat_info_database": False,
            "use_message_database": False, "use_secret_chats": False, "api_id": self.server["api_id"],
            "api_hash": self.server["api_hash"], "system_language_code": "en", "device_model": "e2e",
            "application_version": "1",
        })
        host, port = self.server["tcp"].split(":")
        kind = {"@type": "proxyTypeMtproto", "secret": self.secret}
        proxy = {"@type": "proxy", "server": host, "port": int(port), "type": kind}
        self.ask("addProxy", proxy=proxy, enable=True, server=host, port=int(port), type=kind)
        self.state("authorizationStateWaitPhoneNumber")
        self.ask("setAuthenticationPhoneNumber", phone_number=phone)
        self.state("authorizationStateWaitCode")
        self.ask("checkAuthenticationCode", code=code)
        if self.state("authorizationStateWaitRegistration", "authorizationStateReady") == "authorizationStateWaitRegistration":
            self.ask("registerUser", first_name=name, last_name="")
        self.state("authorizationStateReady")
        self.me = self.ask("getMe")["id"]

    def close(self):
        self.ask("close")
        self.state("authorizationStateClosed")
