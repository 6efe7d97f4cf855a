// The shared package, as a TypeScript program for the official one has it.
import { AuthenticationType, ConnectionString, ExponentialBackOffWithJitter, Message, NoRetry, SharedAccessSignature, anHourFromNow,
  encodeUriComponentStrict, endpoint, errors, results, RetryOperation, callbackToPromise, Callback, X509, TransportConfig } from 'azure-iot-common';

const parts: ConnectionString = ConnectionString.parse('HostName=h', ['HostName']);
const token: SharedAccessSignature = SharedAccessSignature.create('h', 'p', 'k', anHourFromNow());
const text: string = token.extend(anHourFromNow());
const path: string = endpoint.devicePath(encodeUriComponentStrict('d')) + endpoint.versionQueryString();
const error: Error = new errors.ArgumentError('text');
const isArgument: boolean = error instanceof errors.ArgumentError;
const message = new Message(Buffer.from('x'));
message.messageId = 'id';
message.properties.add('a', 'b');
const data: Buffer = message.getBytes();
const kind: AuthenticationType = AuthenticationType.Token;
const operation = new RetryOperation('op', new NoRetry(), 1000);
operation.retry((done) => done(), (err, result) => console.log(err, result));
const wait: number = new ExponentialBackOffWithJitter(true).nextRetryTimeout(1, false);
const x509: X509 = { cert: 'c', key: 'k' };
const config: TransportConfig = { host: 'h', deviceId: 'd', x509 };

function legacy(callback: Callback<number>): void { callback(undefined, 5); }
const promised = callbackToPromise<number>((callback) => legacy(callback));

void [parts, text, path, isArgument, data, kind, wait, config, promised, new results.Connected(), new results.MessageEnqueued()];
