/// <reference types="node" />
import { EventEmitter } from 'events';
import { Agent } from 'https';
import {
  AuthenticationProvider,
  AuthenticationType,
  Callback,
  ConnectionString as CommonConnectionString,
  Message,
  NoErrorCallback,
  RetryPolicy,
  SharedAccessSignature as CommonSharedAccessSignature,
  TransportConfig,
  X509,
  results,
} from 'azure-iot-common';

export { Message };

/** A document: objects, arrays, strings, numbers, booleans, null. */
type Document = { [key: string]: any };

/** Connection strings of devices. */
export namespace ConnectionString {
  /** Throws an `ArgumentError` unless `source` names HostName, DeviceId and a key, a token or a certificate. */
  function parse(source: string): CommonConnectionString;
  function createWithSharedAccessKey(hostName: string, deviceId: string, symmetricKey: string): string;
  function createWithX509Certificate(hostName: string, deviceId: string): string;
}

/** Tokens of devices. */
export namespace SharedAccessSignature {
  /** Signs a token that expires at `expiry`, in seconds since 1970. */
  function create(host: string, deviceId: string, key: string, expiry: string | number): CommonSharedAccessSignature;
  function parse(source: string): CommonSharedAccessSignature;
}

/** Of an agent, the URL of its proxy is used. */
export interface MqttTransportOptions {
  webSocketAgent?: Agent;
  forceDisconnect?: boolean;
}
export interface AmqpTransportOptions {
  webSocketAgent?: Agent;
}
export interface HttpReceiverOptions {
  interval?: number;
  at?: Date;
  cron?: string;
  manualPolling?: boolean;
  drain?: boolean;
}
export interface HttpTransportOptions {
  agent?: Agent;
  receivePolicy?: HttpReceiverOptions;
}
interface TokenRenewalValues {
  tokenValidTimeInSeconds: number;
  tokenRenewalMarginInSeconds: number;
}

export interface DeviceClientOptions extends X509 {
  /** Trusted in place of the usual certificates: PEM text, or a file's path. */
  ca?: string;
  /** Seconds. */
  keepalive?: number;
  /** Sent with the user agent. Set it before opening. */
  productInfo?: string;
  /** The model that the device announces. */
  modelId?: string;
  tokenRenewal?: TokenRenewalValues;
  mqtt?: MqttTransportOptions;
  http?: HttpTransportOptions;
  amqp?: AmqpTransportOptions;
}

/** What a device reports with: a patch in which null removes. */
interface Report<Reported> {
  update(patch: Partial<Reported> | Document, callback: (err?: any) => void): void;
  update(patch: Partial<Reported> | Document): Promise<void>;
}

export interface TwinProperties<Desired = Document, Reported = Document> {
  desired: Desired & { $version?: number };
  reported: Reported & { $version?: number } & Report<Reported>;
}

/**
 * A device's or module's own twin. Say what it holds with `Twin<Desired, Reported>`.
 *
 * Events: `properties.desired` with the patch, `properties.desired.a.b` with the value at that path, `error`.
 */
export class Twin<Desired = Document, Reported = Document> extends EventEmitter {
  static errorEvent: string;
  static desiredPath: string;
  /** Undefined before the twin was read. */
  properties: TwinProperties<Desired, Reported>;
  userRegisteredDesiredPropertiesListener: boolean;
  constructor(transport: DeviceTransport, retryPolicy: RetryPolicy, maxTimeout: number);
  /** Reads it anew. */
  get(callback: Callback<Twin<Desired, Reported>>): void;
  get(): Promise<Twin<Desired, Reported>>;
  setRetryPolicy(policy: RetryPolicy): void;
  enableTwinDesiredPropertiesUpdates(callback: (err?: Error) => void): void;
}

declare abstract class InternalClient extends EventEmitter {
  static sasRenewalInterval: number;
  constructor(transport: DeviceTransport, connStr?: string);
  /** Connects. Requests do so too, if need be. */
  open(openCallback: Callback<results.Connected>): void;
  open(): Promise<results.Connected>;
  /** Disconnects; no event tells. */
  close(closeCallback: Callback<results.Disconnected>): void;
  close(): Promise<results.Disconnected>;
  /** Sends telemetry. */
  sendEvent(message: Message, sendEventCallback: Callback<results.MessageEnqueued>): void;
  sendEvent(message: Message): Promise<results.MessageEnqueued>;
  /** Sends several messages in one request, over HTTPS alone. */
  sendEventBatch(messages: Message[], sendEventBatchCallback: Callback<results.MessageEnqueued>): void;
  sendEventBatch(messages: Message[]): Promise<results.MessageEnqueued>;
  /** Done with a message from the cloud. */
  complete(message: Message, completeCallback: Callback<results.MessageCompleted>): void;
  complete(message: Message): Promise<results.MessageCompleted>;
  /** A message is not wanted; not over MQTT. */
  reject(message: Message, rejectCallback: Callback<results.MessageRejected>): void;
  reject(message: Message): Promise<results.MessageRejected>;
  /** A message shall come again; not over MQTT. */
  abandon(message: Message, abandonCallback: Callback<results.MessageAbandoned>): void;
  abandon(message: Message): Promise<results.MessageAbandoned>;
  /** Reads the twin; always the same object. */
  getTwin<Desired = Document, Reported = Document>(done: Callback<Twin<Desired, Reported>>): void;
  getTwin<Desired = Document, Reported = Document>(): Promise<Twin<Desired, Reported>>;
  setOptions(options: DeviceClientOptions, done: Callback<results.TransportConfigured>): void;
  setOptions(options: DeviceClientOptions): Promise<results.TransportConfigured>;
  /** @deprecated `setOptions({ http: { receivePolicy: options } })` */
  setTransportOptions(options: any, done: Callback<results.TransportConfigured>): void;
  setTransportOptions(options: any): Promise<results.TransportConfigured>;
  setRetryPolicy(policy: RetryPolicy): void;
  /** Replaces a given token. */
  updateSharedAccessSignature(
    sharedAccessSignature: string,
    updateSasCallback?: Callback<results.SharedAccessSignatureUpdated>,
  ): void;
}

/** A device. Events: `connect`, `disconnect` (a `results.Disconnected`), `error`, `message` (a `Message` from the cloud). */
export class Client extends InternalClient {
  constructor(transport: DeviceTransport, connStr?: string);
  static fromConnectionString(connStr: string, transportCtor: any): Client;
  static fromSharedAccessSignature(sharedAccessSignature: string, transportCtor: any): Client;
  static fromAuthenticationProvider(authenticationProvider: AuthenticationProvider, transportCtor: any): Client;
}

/** A module. Events as of `Client`. */
export class ModuleClient extends InternalClient {
  static fromConnectionString(connStr: string, transportCtor: any): ModuleClient;
  static fromSharedAccessSignature(sharedAccessSignature: string, transportCtor: any): ModuleClient;
  static fromAuthenticationProvider(authenticationProvider: AuthenticationProvider, transportCtor: any): ModuleClient;
  /** As the environment of an edge module or `IotHubConnectionString` says. */
  static fromEnvironment(transportCtor: any, callback: Callback<ModuleClient>): void;
  static fromEnvironment(transportCtor: any): Promise<ModuleClient>;
}

/** What a client speaks through: the packages' transports, or one of your own. */
export interface DeviceTransport extends EventEmitter {
  connect(done: (err?: Error, result?: results.Connected) => void): void;
  disconnect(done: (err?: Error, result?: results.Disconnected) => void): void;
  setOptions?(options: DeviceClientOptions, done: (err?: Error, result?: results.TransportConfigured) => void): void;
  updateSharedAccessSignature(
    sharedAccessSignature: string,
    done: (err?: Error, result?: results.SharedAccessSignatureUpdated) => void,
  ): void;
  getTwin(callback: (err?: Error, twin?: { desired: Document; reported: Document }) => void): void;
  updateTwinReportedProperties(patch: any, callback: (err?: Error) => void): void;
  enableTwinDesiredPropertiesUpdates(callback: (err?: Error) => void): void;
  disableTwinDesiredPropertiesUpdates(callback: (err?: Error) => void): void;
}

/** Makes and renews tokens from a key. Event: `newTokenAvailable`. */
export class SharedAccessKeyAuthenticationProvider extends EventEmitter implements AuthenticationProvider {
  type: AuthenticationType;
  constructor(credentials: TransportConfig, tokenValidTimeInSeconds?: number, tokenRenewalMarginInSeconds?: number);
  setTokenRenewalValues(tokenValidTimeInSeconds: number, tokenRenewalMarginInSeconds: number): void;
  getDeviceCredentials(callback: Callback<TransportConfig>): void;
  getDeviceCredentials(): Promise<TransportConfig>;
  stop(): void;
  static fromConnectionString(
    connectionString: string,
    tokenValidTimeInSeconds?: number,
    tokenRenewalMarginInSeconds?: number,
  ): SharedAccessKeyAuthenticationProvider;
}

/** Gives a token that somebody else made. Event: `newTokenAvailable`. */
export class SharedAccessSignatureAuthenticationProvider extends EventEmitter implements AuthenticationProvider {
  type: AuthenticationType;
  constructor(credentials: TransportConfig);
  getDeviceCredentials(callback: Callback<TransportConfig>): void;
  getDeviceCredentials(): Promise<TransportConfig>;
  stop(): void;
  updateSharedAccessSignature(sharedAccessSignature: string): void;
  static fromSharedAccessSignature(sharedAccessSignature: string): SharedAccessSignatureAuthenticationProvider;
}

/** Shows a certificate. */
export class X509AuthenticationProvider implements AuthenticationProvider {
  type: AuthenticationType;
  constructor(credentials: TransportConfig);
  getDeviceCredentials(callback: Callback<TransportConfig>): void;
  getDeviceCredentials(): Promise<TransportConfig>;
  setX509Options(x509: X509): void;
  static fromX509Options(deviceId: string, iotHubHostname: string, x509info: X509): X509AuthenticationProvider;
}

/** What the client calls itself, with the caller's own text behind it. */
export function getUserAgentString(done: NoErrorCallback<string>): void;
export function getUserAgentString(): Promise<string>;
export function getUserAgentString(productInfo: string, done: NoErrorCallback<string>): void;
export function getUserAgentString(productInfo: string): Promise<string>;

export {};
