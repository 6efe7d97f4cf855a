"""The official Python packages, unmodified, drive our hub.

Needs IOTHUB_CONNECTION_STRING, a hub on the ports 443 and 8883 of that name, and its CA in IOTHUB_CA_FILE and
REQUESTS_CA_BUNDLE. Ends with exit code 0 when every scenario passed.
"""

import asyncio
import os
import queue
import sys
import traceback
import uuid

from azure.iot.device import IoTHubDeviceClient, IoTHubModuleClient
from azure.iot.device.aio import IoTHubDeviceClient as AsyncDeviceClient
from azure.iot.device.exceptions import CredentialError
from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import Module, QuerySpecification, Twin, TwinProperties

CONNECTION_STRING = os.environ["IOTHUB_CONNECTION_STRING"]
HOST = dict(part.split("=", 1) for part in CONNECTION_STRING.split(";"))["HostName"]
CA = open(os.environ["IOTHUB_CA_FILE"]).read()
PATIENCE_S = 20

registry = IoTHubRegistryManager.from_connection_string(CONNECTION_STRING)


def create(name):
    device_id = f"{name}-{uuid.uuid4().hex[:8]}"
    device = registry.create_device_with_sas(device_id, None, None, "enabled")
    key = device.authentication.symmetric_key.primary_key
    return device_id, f"HostName={HOST};DeviceId={device_id};SharedAccessKey={key}"


def device_story(websockets):
    device_id, connection_string = create("py")
    client = IoTHubDeviceClient.create_from_connection_string(
        connection_string, server_verification_cert=CA, websockets=websockets
    )
    heard = queue.Queue()
    client.on_twin_desired_properties_patch_received = heard.put
    client.connect()
    try:
        assert client.get_twin() == {"desired": {"$version": 1}, "reported": {"$version": 1}}
        client.patch_twin_reported_properties({"connectivity": {"type": "cellular"}})
        patch = Twin(tags={"plant": device_id}, properties=TwinProperties(desired={"interval": 5}))
        twin = registry.update_twin(device_id, patch, "*")
        assert twin.tags == {"plant": device_id}, twin
        assert heard.get(timeout=PATIENCE_S) == {"interval": 5, "$version": 2}
        client.send_message("hello")
    finally:
        client.shutdown()
    result = registry.query_iot_hub(
        QuerySpecification(query=f"SELECT * FROM devices WHERE tags.plant = '{device_id}' "
                                 "AND properties.reported.connectivity.type = 'cellular'")
    )
    assert [item.device_id for item in result.items] == [device_id], result.items


def the_device_story_over_mqtt():
    device_story(websockets=False)


def the_device_story_over_mqtt_ws():
    device_story(websockets=True)


def the_async_client_reports():
    device_id, connection_string = create("py-async")

    async def story():
        client = AsyncDeviceClient.create_from_connection_string(connection_string, server_verification_cert=CA)
        await client.connect()
        await client.patch_twin_reported_properties({"n": 1})
        await client.shutdown()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
    assert registry.get_twin(device_id).properties.reported["n"] == 1


def a_wrong_key_is_a_credential_error():
    device_id, _ = create("py-wrong")
    client = IoTHubDeviceClient.create_from_connection_string(
        f"HostName={HOST};DeviceId={device_id};SharedAccessKey={'QUJD' * 11}", server_verification_cert=CA
    )
    try:
        client.connect()
    except CredentialError:
        return
    finally:
        client.shutdown()
    raise AssertionError("a wrong key was accepted")


def a_module_has_its_own_twin():
    device_id, _ = create("py-module")
    module = registry.create_module_with_sas(device_id, "m", "me", None, None)
    assert isinstance(module, Module)
    key = module.authentication.symmetric_key.primary_key
    client = IoTHubModuleClient.create_from_connection_string(
        f"HostName={HOST};DeviceId={device_id};ModuleId=m;SharedAccessKey={key}", server_verification_cert=CA
    )
    client.connect()
    try:
        client.patch_twin_reported_properties({"state": "on"})
    finally:
        client.shutdown()
    assert registry.get_module_twin(device_id, "m").properties.reported["state"] == "on"
    assert [m.module_id for m in registry.get_modules(device_id)] == ["m"]


def queries_come_in_pages():
    plant = uuid.uuid4().hex
    for _ in range(5):
        device_id, _ = create("py-page")
        registry.update_twin(device_id, Twin(tags={"plant": plant}), "*")
    seen, token = [], None
    while True:
        result = registry.query_iot_hub(
            QuerySpecification(query=f"SELECT * FROM devices WHERE tags.plant = '{plant}'"), token, 2
        )
        seen += [item.device_id for item in result.items]
        token = result.continuation_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 5, seen


def main():
    scenarios = [f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == "__main__"]
    scenarios = [f for f in scenarios if "_" in f.__name__ and f.__name__ not in ("device_story",)]
    failed = 0
    for scenario in scenarios:
        try:
            scenario()
            print(f"ok {scenario.__name__}", flush=True)
        except BaseException:
            failed += 1
            print(f"FAILED {scenario.__name__}", flush=True)
            traceback.print_exc()
    print(f"{len(scenarios) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
