"""A scripted hub on Qpid Proton, which knows just enough of twins to hear a device's story.

Usage: hub_proton.py ADDRESS:PORT KEY.pem CERTIFICATE.pem. Prints a line when it listens. Frames are the smallest that AMQP
allows, and the device has to give a sign of life every second.
"""

import json
import sys

from proton import Message, SSLDomain, int32, symbol
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Hub(MessagingHandler):
    def __init__(self, address, key, certificate):
        super().__init__(prefetch=20, auto_accept=True)
        self.address = address
        self.trust = SSLDomain(SSLDomain.MODE_SERVER)
        self.trust.set_credentials(certificate, key, None)
        self.desired, self.reported = {"$version": 1}, {"$version": 1}
        # Links to the device, by address; deliveries that wait for credit.
        self.links, self.waiting, self.watched = {}, {}, False

    def on_start(self, event):
        event.container.listen(f"amqps://{self.address}", ssl_domain=self.trust)
        print("listening", flush=True)

    def on_connection_bound(self, event):
        event.transport.max_frame_size = 512
        event.transport.idle_timeout = 2

    def on_link_opening(self, event):
        link = event.link
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if link.is_sender:
            self.links[link.remote_source.address] = link

    def say(self, address, message):
        self.waiting.setdefault(address, []).append(message)
        self.send_what_waits(address)

    def send_what_waits(self, address):
        link, waiting = self.links[address], self.waiting.get(address, [])
        while waiting and link.credit:
            link.send(waiting.pop(0))

    def on_sendable(self, event):
        self.send_what_waits(event.link.remote_source.address)

    def on_message(self, event):
        address, message = event.link.remote_target.address, event.message
        if address == "$cbs":
            good = message.properties["operation"] == "put-token" and message.body.startswith("SharedAccessSignature sr=")
            status = {"status-code": int32(200 if good else 401), "status-description": ""}
            return self.say(address, Message(correlation_id=message.id, properties=status))
        answer = self.request(address, message)
        if answer:
            status, version, body = answer
            annotations = {symbol("status"): int32(status)}
            if version:
                annotations[symbol("version")] = version
            self.say(address, Message(body=body.encode(), inferred=True, annotations=annotations,
                                      correlation_id=message.correlation_id))

    def request(self, address, message):
        what = message.annotations["operation"], message.annotations.get("resource")
        if what == ("GET", None):
            return 200, None, json.dumps({"desired": self.desired, "reported": self.reported})
        if what == ("PUT", "/notifications/twin/properties/desired"):
            self.watched = True
            return 200, None, ""
        if what == ("PATCH", "/properties/reported"):
            wanted = message.annotations.get("version")
            if wanted is not None and wanted != self.reported["$version"]:
                return 412, None, ""
            patch = json.loads(bytes(message.body))
            self.reported.update(patch)
            self.reported["$version"] += 1
            for _ in range(patch.get("poke", 0)):
                self.change(address)
            return 200, self.reported["$version"], ""
        return 400, None, json.dumps({"errorCode": 400004, "message": str(what)})

    def change(self, address):
        self.desired["n"] = self.desired.get("n", 0) + 1
        self.desired["$version"] += 1
        if self.watched:
            changed = {"n": self.desired["n"], "$version": self.desired["$version"]}
            annotations = {symbol("resource"): "/properties/desired", symbol("version"): changed["$version"]}
            self.say(address, Message(body=json.dumps(changed).encode(), inferred=True, annotations=annotations))


Container(Hub(*sys.argv[1:4])).run()
