"""Qpid Proton, an AMQP library of others, as a device of our hub: tokens, twin links, changes, links and connections that end.

Needs what official.py needs. Ends with exit code 0 when every scenario passed.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import traceback
import urllib.parse
import uuid

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import Twin, TwinProperties
from proton import ConnectionException, Message, SSL, SSLDomain, symbol
from proton.reactor import LinkOption
from proton.utils import BlockingConnection, LinkDetached

CONNECTION_STRING = os.environ["IOTHUB_CONNECTION_STRING"]
HOST = dict(part.split("=", 1) for part in CONNECTION_STRING.split(";"))["HostName"]
PORT = int(os.environ.get("IOTHUB_PORT", "8883"))
PATIENCE_S = 20
TOKEN_TYPE = "servicebus.windows.net:sastoken"

registry = IoTHubRegistryManager.from_connection_string(CONNECTION_STRING)


def create(name):
    device_id = f"{name}-{uuid.uuid4().hex[:8]}"
    device = registry.create_device_with_sas(device_id, None, None, "enabled")
    return device_id, device.authentication.symmetric_key.primary_key


def sas(device_id, key, seconds=3600):
    resource = urllib.parse.quote(f"{HOST}/devices/{device_id}", safe="")
    end = int(time.time()) + seconds
    digest = hmac.new(base64.b64decode(key), f"{resource}\n{end}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={end}"


class Settled(LinkOption):
    """What a device sends on its twin link is settled as it leaves."""

    def apply(self, link):
        link.snd_settle_mode = link.SND_SETTLED


class Properties(LinkOption):
    def __init__(self, values):
        self.values = values

    def apply(self, link):
        link.properties = {symbol(name): value for name, value in self.values.items()}


class Device:
    """A connection, and whatever is asked of it."""

    def __init__(self, **options):
        trust = SSLDomain(SSLDomain.MODE_CLIENT)
        trust.set_trusted_ca_db(os.environ["IOTHUB_CA_FILE"])
        # Not the name: Proton looks for addresses among the DNS names of a certificate.
        trust.set_peer_authentication(SSLDomain.VERIFY_PEER)
        options.setdefault("sasl_enabled", False)
        self.connection = BlockingConnection(
            f"amqps://{HOST}:{PORT}", timeout=PATIENCE_S, ssl_domain=trust, **options
        )
        self.cbs = None

    def put_token(self, audience, token):
        if not self.cbs:
            self.cbs = self.connection.create_sender("$cbs"), self.connection.create_receiver("$cbs", credit=10)
        to, back = self.cbs
        message_id = str(uuid.uuid4())
        properties = {"operation": "put-token", "type": TOKEN_TYPE, "name": audience}
        to.send(Message(body=token, id=message_id, reply_to="cbs", properties=properties))
        answer = back.receive(timeout=PATIENCE_S)
        assert answer.correlation_id == message_id, answer
        return answer.properties["status-code"]

    def log_in(self, device_id, key):
        assert self.put_token(f"{HOST}/devices/{device_id}", sas(device_id, key)) == 200

    def attach_twin(self, device_id, credit=50):
        address = f"/devices/{device_id}/twin"
        pair = Properties({
            "com.microsoft:api-version": "2021-04-12",
            "com.microsoft:channel-correlation-id": f"twin:{uuid.uuid4()}",
        })
        self.to = self.connection.create_sender(address, options=[Settled(), pair], name=str(uuid.uuid4()))
        self.back = self.connection.create_receiver(
            address, credit=credit, options=[pair], name=str(uuid.uuid4())
        )

    def say(self, operation, resource=None, body=b" ", correlation=None):
        annotations = {symbol("operation"): operation}
        if resource:
            annotations[symbol("resource")] = resource
        message = Message(body=body, inferred=True, annotations=annotations, correlation_id=correlation)
        self.to.send(message)

    def hear(self):
        # It came settled: there is nothing to accept.
        return self.back.receive(timeout=PATIENCE_S)

    def ask(self, operation, resource=None, body=b" ", correlation=None):
        correlation = correlation or uuid.uuid4()
        self.say(operation, resource, body, correlation)
        answer = self.hear()
        came = answer.correlation_id
        came = bytes(came) if isinstance(came, memoryview) else came
        assert came == correlation and type(came) is type(correlation), answer
        body = bytes(answer.body or b"")
        return answer.annotations["status"], json.loads(body) if body else None

    def story(self, device_id):
        assert self.ask("GET") == (200, {"desired": {"$version": 1}, "reported": {"$version": 1}})
        assert self.ask("PUT", "/notifications/twin/properties/desired")[0] == 200
        report = json.dumps({"connectivity": {"type": "cellular"}, "large": "x" * 4000}).encode()
        assert self.ask("PATCH", "/properties/reported", report)[0] == 200
        registry.update_twin(device_id, Twin(properties=TwinProperties(desired={"interval": 5})), "*")
        heard = self.hear()
        assert heard.annotations["resource"] == "/properties/desired", heard
        assert json.loads(bytes(heard.body)) == {"interval": 5, "$version": 2}, heard
        assert self.ask("GET")[1]["reported"]["large"] == "x" * 4000
        assert self.ask("DELETE", "/notifications/twin/properties/desired")[0] == 200
        assert registry.get_twin(device_id).properties.reported["connectivity"] == {"type": "cellular"}


def with_token(**options):
    device_id, key = create("proton")
    device = Device(**options)
    device.log_in(device_id, key)
    device.attach_twin(device_id)
    device.story(device_id)
    device.connection.close()


def the_story_without_sasl():
    with_token()


def the_story_as_anonymous():
    with_token(sasl_enabled=True, allowed_mechs="ANONYMOUS")


def the_story_in_the_smallest_frames():
    with_token(max_frame_size=512)


def the_story_with_a_user_and_a_password():
    device_id, key = create("proton-plain")
    device = Device(
        sasl_enabled=True, allowed_mechs="PLAIN", user=f"{device_id}@sas.{HOST}", password=sas(device_id, key)
    )
    device.attach_twin(device_id)
    device.story(device_id)
    device.connection.close()


def a_wrong_password_is_refused():
    device_id, _ = create("proton-wrong")
    wrong = sas(device_id, base64.b64encode(b"another key").decode())
    try:
        Device(sasl_enabled=True, allowed_mechs="PLAIN", user=f"{device_id}@sas.{HOST}", password=wrong)
    except ConnectionException as refused:
        assert "amqp:unauthorized-access" in str(refused), refused
        return
    raise AssertionError("a wrong password was accepted")


def tokens_that_do_not_hold_are_refused():
    device_id, key = create("proton-bad")
    device = Device()
    audience = f"{HOST}/devices/{device_id}"
    assert device.put_token(audience, sas(device_id, key, -4000)) == 401
    assert device.put_token(audience, sas("another", key)) == 401
    assert device.put_token(audience, "no token") == 400
    try:
        device.attach_twin(device_id)
    except LinkDetached as detached:
        assert detached.condition == "amqp:unauthorized-access", detached
    else:
        raise AssertionError("a link without a token was accepted")
    # It stays what it was.
    device.log_in(device_id, key)
    device.attach_twin(device_id)
    assert device.ask("GET")[0] == 200
    device.connection.close()


def correlation_ids_come_back_in_their_type():
    device_id, key = create("proton-types")
    device = Device()
    device.log_in(device_id, key)
    device.attach_twin(device_id)
    # Proton says numbers as ulong, and hears them as numbers.
    for correlation in [uuid.uuid4(), 7, 2**63, "text", b"bytes"]:
        assert device.ask("GET", correlation=correlation)[0] == 200
    device.connection.close()


def links_go_and_come_back_and_credit_is_drained():
    device_id, key = create("proton-links")
    device = Device()
    device.log_in(device_id, key)
    for _ in range(3):
        device.attach_twin(device_id, credit=0)
        device.say("GET", correlation="waits")
        device.back.link.flow(1)
        assert device.hear().correlation_id == "waits"
        link = device.back.link
        link.drain(5)
        device.connection.wait(lambda: not link.draining(), timeout=PATIENCE_S, msg="draining")
        assert link.credit == 0, link.credit
        link.drain_mode = False
        device.to.close()
        device.back.close()
    device.connection.close()


def a_second_connection_takes_over():
    device_id, key = create("proton-twice")
    first, second = Device(), Device()
    for device in (first, second):
        device.log_in(device_id, key)
        device.attach_twin(device_id)
    try:
        first.back.receive(timeout=PATIENCE_S)
    except LinkDetached as detached:
        assert detached.condition == "amqp:link:stolen", detached
    else:
        raise AssertionError("the first connection was not told")
    assert second.ask("GET")[0] == 200
    first.connection.close()
    second.connection.close()


def many_devices_share_a_connection():
    connection = Device()
    devices = [create("proton-many") for _ in range(20)]
    for device_id, key in devices:
        connection.log_in(device_id, key)
    for device_id, _ in devices:
        connection.attach_twin(device_id)
        assert connection.ask("PATCH", "/properties/reported", json.dumps({"me": device_id}).encode())[0] == 200
    for device_id, _ in devices:
        assert registry.get_twin(device_id).properties.reported["me"] == device_id
    connection.connection.close()


def signs_of_life_are_given():
    device_id, key = create("proton-idle")
    device = Device(heartbeat=1)
    device.log_in(device_id, key)
    device.attach_twin(device_id)
    # Proton ends the connection itself when nothing comes for longer.
    begin = time.monotonic()
    device.connection.wait(lambda: time.monotonic() - begin > 3, timeout=PATIENCE_S, msg="idling")
    assert device.ask("GET")[0] == 200
    device.connection.close()


SCENARIOS = [
    the_story_without_sasl,
    the_story_as_anonymous,
    the_story_in_the_smallest_frames,
    the_story_with_a_user_and_a_password,
    a_wrong_password_is_refused,
    tokens_that_do_not_hold_are_refused,
    correlation_ids_come_back_in_their_type,
    links_go_and_come_back_and_credit_is_drained,
    a_second_connection_takes_over,
    many_devices_share_a_connection,
    signs_of_life_are_given,
]


def main():
    if not SSL.present():
        print("python-qpid-proton was built without TLS (no OpenSSL headers): its scenarios did not run")
        return
    failed = 0
    for scenario in SCENARIOS:
        try:
            scenario()
            print(f"ok {scenario.__name__}", flush=True)
        except BaseException:
            failed += 1
            print(f"FAILED {scenario.__name__}", flush=True)
            traceback.print_exc()
    print(f"{len(SCENARIOS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
