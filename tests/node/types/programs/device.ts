// A device, as a TypeScript program for the official packages has it.
import { Client, ConnectionString, Message, ModuleClient, SharedAccessSignature, Twin, SharedAccessKeyAuthenticationProvider,
  SharedAccessSignatureAuthenticationProvider, X509AuthenticationProvider, DeviceClientOptions } from 'azure-iot-device';
import { Mqtt, MqttWs } from 'azure-iot-device-mqtt';
import { Amqp, AmqpWs, clientFromConnectionString } from 'azure-iot-device-amqp';
import { NoRetry, ExponentialBackOffWithJitter, RetryPolicy, results } from 'azure-iot-common';

const client: Client = Client.fromConnectionString(process.env.IOTHUB_DEVICE_CONNECTION_STRING as string, Mqtt);
const overWebSocket = Client.fromConnectionString('HostName=h;DeviceId=d;SharedAccessKey=k', MqttWs);
const overAmqp: Client[] = [Client.fromConnectionString('c', Amqp), Client.fromConnectionString('c', AmqpWs), clientFromConnectionString('c')];
const bySas: Client = Client.fromSharedAccessSignature(SharedAccessSignature.create('h', 'd', 'k', 1).toString(), Mqtt);
const byKey = Client.fromAuthenticationProvider(SharedAccessKeyAuthenticationProvider.fromConnectionString('c'), Mqtt);
const byToken = Client.fromAuthenticationProvider(
  SharedAccessSignatureAuthenticationProvider.fromSharedAccessSignature('s'), MqttWs);
const byCertificate = new X509AuthenticationProvider({ host: 'h', deviceId: 'd' });
const { HostName, DeviceId } = ConnectionString.parse('HostName=h;DeviceId=d;SharedAccessKey=k');

async function life(): Promise<void> {
  const opened: results.Connected = await client.open();
  client.open((err?: Error) => console.log(err));
  client.on('connect', () => console.log('connected'));
  client.on('disconnect', () => client.removeAllListeners());
  client.on('error', (err: Error) => console.error(err.message));
  client.on('message', (message: Message) => console.log(message.messageId, message.data.toString()));
  const options: DeviceClientOptions = { ca: 'pem', keepalive: 60, productInfo: 'p', modelId: 'dtmi:a;1' };
  await client.setOptions(options);
  client.setOptions({ cert: 'c', key: 'k', passphrase: 'p' }, (err) => console.log(err));
  const policy: RetryPolicy = new ExponentialBackOffWithJitter();
  client.setRetryPolicy(policy);
  client.setRetryPolicy(new NoRetry());
  const own: RetryPolicy = {
    shouldRetry: (err: Error) => err.name === 'NotConnectedError',
    nextRetryTimeout: (retryCount: number, isThrottled: boolean) => (retryCount > 5 ? -1 : isThrottled ? 10000 : 100),
  };
  client.setRetryPolicy(own);
  client.updateSharedAccessSignature('s', (err?: Error, result?: results.SharedAccessSignatureUpdated) =>
    console.log(err, result?.needToReconnect));
  const closed: results.Disconnected = await client.close();
  console.log(opened, closed);
}

async function twins(): Promise<void> {
  const twin: Twin = await client.getTwin();
  client.getTwin((err?: Error, found?: Twin) => console.log(err, found?.properties.desired.$version));
  twin.on('properties.desired', (delta: any) => console.log(delta));
  twin.on('properties.desired.climate', (delta) => console.log(delta.min));
  twin.properties.reported.update({ firmware: '1' }, (err: Error) => { if (err) throw err; });
  const again: Twin = await twin.get();
  console.log(again.properties.reported.firmware);
}

async function module(): Promise<void> {
  const one: ModuleClient = ModuleClient.fromConnectionString('c', Mqtt);
  await one.open();
  const twin = await one.getTwin();
  twin.properties.reported.update({ a: 1 }, () => undefined);
  await one.close();
}

void [overWebSocket, overAmqp, bySas, byKey, byToken, byCertificate, HostName, DeviceId, life, twins, module];
