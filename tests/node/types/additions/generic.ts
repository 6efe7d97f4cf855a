// What our typings say and the official ones do not.
import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { Registry, Twin } from 'azure-iothub';

interface Desired { interval: number }
interface Reported { firmware?: string }
interface Tags { plant: string }

async function backend(registry: Registry): Promise<void> {
  const { responseBody: twin } = await registry.getTwin<Desired, Reported, Tags>('d');
  const interval: number = twin.properties.desired.interval;
  const plant: string = twin.tags.plant;
  // @ts-expect-error a desired property that there is not
  console.log(twin.properties.desired.intervall);
  // Tags are documents, not only texts.
  const any: Twin = (await registry.getTwin('d')).responseBody;
  const floor: number = any.tags.location.floor;
  console.log(interval, plant, floor);
}

async function device(): Promise<void> {
  const client = Client.fromConnectionString('c', Mqtt);
  const twin = await client.getTwin<Desired, Reported>();
  const interval: number = twin.properties.desired.interval;
  // A report without a callback is a promise; with one, the callback may get an error.
  await twin.properties.reported.update({ firmware: '1' });
  twin.properties.reported.update({ firmware: '2' }, (err) => console.log(err?.message));
  console.log(interval);
}

void [backend, device];
