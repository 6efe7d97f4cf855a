// A backend, as a TypeScript program for the official package has it.
import { IncomingMessage } from 'http';
import { ConnectionString, Device, Module, Registry, SharedAccessSignature, Twin, versionQueryString } from 'azure-iothub';
import * as iothub from 'azure-iothub';

const registry: Registry = Registry.fromConnectionString(process.env.IOTHUB_CONNECTION_STRING as string);
const byToken = iothub.Registry.fromSharedAccessSignature(SharedAccessSignature.create('h', 'p', 'k', 1).toString());
const byCredential = Registry.fromTokenCredential('h', {
  getToken: async (_scopes: string | string[]) => ({ token: 't', expiresOnTimestamp: 1 }),
});
const config: Registry.TransportConfig = { host: 'h', sharedAccessSignature: 's' };
const byHand = new Registry(config);
const host: string | undefined = ConnectionString.parse('HostName=h').HostName;
const version: string = versionQueryString();

async function identities(): Promise<void> {
  const description: Registry.DeviceDescription = { deviceId: 'd', status: 'enabled', capabilities: { iotEdge: true } };
  const { responseBody, httpResponse } = await registry.create(description);
  const device: Device = responseBody;
  const key: string | undefined = device.authentication?.symmetricKey?.primaryKey;
  const status: Device.DeviceStatus | undefined = device.status;
  registry.update(description, (err?: Error, updated?: Device, response?: any) => console.log(err, updated?.etag, response));
  registry.get('d', (err, found) => { if (err) console.error(err.message); else console.log(found?.deviceId); });
  const devices: Device[] = (await registry.list()).responseBody;
  await registry.delete('d');
  const bulk: Registry.BulkRegistryOperationResult = (await registry.addDevices([description])).responseBody;
  for (const error of bulk.errors) console.log(error.deviceId, error.errorCode, error.errorStatus);
  registry.updateDevices([description], true, (err, result) => console.log(err, result?.isSuccessful));
  await registry.removeDevices([description], false);
  const { totalDeviceCount }: Registry.RegistryStatistics = (await registry.getRegistryStatistics()).responseBody;
  console.log(key, status, devices.length, totalDeviceCount, httpResponse.statusCode);
}

async function modules(): Promise<void> {
  const module: Module = { deviceId: 'd', moduleId: 'm', managedBy: 'me' };
  await registry.addModule(module);
  const all: Module[] = (await registry.getModulesOnDevice('d')).responseBody;
  const one: Module = (await registry.getModule('d', 'm')).responseBody;
  await registry.updateModule(one, true);
  registry.updateModule(one, (err) => console.log(err));
  registry.removeModule('d', 'm', (err) => console.log(err));
  await registry.removeModule(one);
  console.log(all);
}

async function twins(): Promise<void> {
  const twin: Twin = (await registry.getTwin('d')).responseBody;
  const interval: number = twin.properties.desired.interval;
  const plant: string = twin.tags.plant;
  const { result, message } = await twin.update({ tags: { plant: 'x' } });
  const status: number | undefined = message.statusCode;
  twin.get((err?: Error, fresh?: Twin, response?: IncomingMessage) => console.log(err, fresh?.etag, response?.headers['content-type']));
  await registry.updateTwin('d', { properties: { desired: { a: null } } }, twin.etag);
  registry.getModuleTwin('d', 'm', (err, found) => console.log(err, found?.moduleId));
  await registry.updateModuleTwin('d', 'm', {}, '*');
  console.log(interval, plant, result.etag, status, twin.toJSON(), new Twin('d', registry).deviceId);
}

async function queries(): Promise<void> {
  const query = registry.createQuery('SELECT * FROM devices', 100);
  while (query.hasMoreResults) {
    const { result } = await query.nextAsTwin();
    result.forEach((twin: Twin) => console.log(twin.deviceId, twin.properties.reported.firmware));
  }
  const onPage = (err?: Error, rows?: any, response?: IncomingMessage): void => {
    if (!err && query.hasMoreResults) query.next(query.continuationToken, onPage);
    console.log(rows?.length, response?.statusCode);
  };
  query.next(onPage);
  const { result } = await registry.createQuery('SELECT COUNT() AS n FROM devices').next();
  console.log(result[0].n);
}

void [byToken, byCredential, byHand, host, version, identities, modules, twins, queries];
